//! Where the sets are published, and their published checksums: those of the page in
//! [`DatasetInfo`](crate::DatasetInfo).

/// One file to download.
#[derive(Debug, Clone, Copy)]
pub struct Remote {
    /// Its name, at the source and here.
    pub name: &'static str,
    /// Its size in bytes. No more is taken of any answer.
    pub size: u64,
    /// Its MD5, 32 lower-case hexadecimal digits. It guards against damage, not against malice.
    pub md5: &'static str,
}

/// Where a set comes from.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The registered name of the set.
    pub dataset: &'static str,
    /// The address, without the file's name.
    pub base: &'static str,
    /// The files to download.
    pub files: &'static [Remote],
    /// The folder that the set is in afterwards.
    pub folder: &'static str,
    /// Whether the one file is a gzip-compressed tar archive of that folder; otherwise the files
    /// are kept as they are.
    pub archive: bool,
}

const SOURCES: &[Source] = &[
    Source {
        dataset: "cifar10",
        base: "https://www.cs.toronto.edu/~kriz",
        files: &[Remote {
            name: "cifar-10-binary.tar.gz",
            size: 170_052_171,
            md5: "c32a1d4ab5d03f1284b67883e8d87530",
        }],
        folder: "cifar-10-batches-bin",
        archive: true,
    },
    Source {
        dataset: "cifar100",
        base: "https://www.cs.toronto.edu/~kriz",
        files: &[Remote {
            name: "cifar-100-binary.tar.gz",
            size: 168_513_733,
            md5: "03b5dce01913d631647c71ecec9e9cb8",
        }],
        folder: "cifar-100-binary",
        archive: true,
    },
    Source {
        dataset: "mnist",
        // The address that torchvision uses; the authors' own page no longer serves the files.
        base: "https://ossci-datasets.s3.amazonaws.com/mnist",
        files: &[
            Remote {
                name: "train-images-idx3-ubyte.gz",
                size: 9_912_422,
                md5: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            },
            Remote {
                name: "train-labels-idx1-ubyte.gz",
                size: 28_881,
                md5: "d53e105ee54ea40749a09fcbcd1e9432",
            },
            Remote {
                name: "t10k-images-idx3-ubyte.gz",
                size: 1_648_877,
                md5: "9fb629c4189551a2d022fa330f9573f3",
            },
            Remote {
                name: "t10k-labels-idx1-ubyte.gz",
                size: 4_542,
                md5: "ec29112dd5afa0611ce80d1b7f02629c",
            },
        ],
        folder: "mnist",
        archive: false,
    },
    Source {
        dataset: "fashion-mnist",
        // The authors' repository. Their own page names an address that has no https.
        base: "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        files: &[
            Remote {
                name: "train-images-idx3-ubyte.gz",
                size: 26_421_880,
                md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            },
            Remote {
                name: "train-labels-idx1-ubyte.gz",
                size: 29_515,
                md5: "25c81989df183df01b3e8a0aad5dffbe",
            },
            Remote {
                name: "t10k-images-idx3-ubyte.gz",
                size: 4_422_102,
                md5: "bef4ecab320f06d8554ea6380940ec79",
            },
            Remote {
                name: "t10k-labels-idx1-ubyte.gz",
                size: 5_148,
                md5: "bb300cfdad3c16e7a12a480ee83cd310",
            },
        ],
        folder: "fashion-mnist",
        archive: false,
    },
];

/// All sets that can be fetched.
pub fn sources() -> &'static [Source] {
    SOURCES
}
