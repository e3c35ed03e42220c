//! The loader: what comes out, in which order, and that nothing hangs.

use crate::support::{Counting, contains, message};
use dtrp_data::random::{Stream, shuffled};
use dtrp_data::{Augment, Batch, DataError, Dataset, Loader, LoaderOptions};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn loader(set: Counting, options: LoaderOptions) -> Loader {
    Loader::new(Arc::new(set), options).unwrap()
}

fn batches(loader: &Loader, epoch: u64, skip: usize) -> Vec<Batch> {
    loader.epoch(epoch, skip).collect::<Result<_, _>>().unwrap()
}

fn options(batch_size: usize) -> LoaderOptions {
    LoaderOptions {
        batch_size,
        ..LoaderOptions::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_same_batches_whatever_the_threads(
        len in 1..60usize, batch_size in 1..20usize, seed: u64, epoch: u64, prefetch in 0..5usize, skip in 0..5usize,
        shuffle: bool, limit in prop::option::of(1..80usize), augment in prop::sample::select(vec!["none", "crop-flip", "crop:2,cutout:3"]),
    ) {
        let augment: Augment = augment.parse().unwrap();
        let with = |threads| {
            let options = LoaderOptions {
                batch_size, shuffle, augment: augment.clone(), seed, threads, prefetch, drop_last: false, limit,
            };
            loader(Counting::new(len), options)
        };
        let expected = batches(&with(0), epoch, 0);
        prop_assert_eq!(expected.len(), with(0).batches_per_epoch());
        let mut seen: Vec<_> = expected.iter().flat_map(|batch| batch.indices.clone()).collect();
        if !shuffle {
            prop_assert!(seen.is_sorted());
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..len.min(limit.unwrap_or(len)) as u32).collect::<Vec<_>>());
        for threads in 0..4 {
            let rest = &expected[skip.min(expected.len())..];
            prop_assert_eq!(batches(&with(threads), epoch, skip), rest);
        }
    }

    #[test]
    fn without_augmentation_images_are_the_sets(len in 1..40usize, batch_size in 1..50usize, threads in 0..3usize) {
        let loader = loader(Counting::new(len), LoaderOptions { threads, ..options(batch_size) });
        for batch in batches(&loader, 3, 0) {
            for (at, &index) in batch.indices.iter().enumerate() {
                let image = &batch.images[at * 40..][..40];
                let expected: Vec<_> = (0..40).map(|position| Counting::pixel(index as usize, position)).collect();
                prop_assert_eq!(image, expected);
                prop_assert_eq!(batch.labels[at], i64::from(index % 3));
            }
        }
    }
}

/// The documented keys, written out: a change of these numbers changes every run.
#[test]
fn the_order_is_the_documented_one() {
    let mut stream = Stream::new(5, "order", 2, 0);
    let mut expected: Vec<u32> = (0..7).collect();
    for i in (1..7).rev() {
        expected.swap(i, stream.below(i + 1));
    }
    assert_eq!(shuffled(7, 5, 2), expected);
    // From a ChaCha8 written from the paper, in another language.
    assert_eq!(shuffled(10, 0, 0), [7, 5, 9, 8, 4, 3, 2, 1, 6, 0]);
    assert_eq!(shuffled(10, 3, 7), [8, 4, 5, 2, 1, 3, 6, 0, 7, 9]);
    let mut stream = Stream::new(1, "augment", 2, 3);
    let coins: Vec<_> = (0..20).map(|_| u8::from(stream.coin())).collect();
    assert_eq!(coins, [1, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0]);
}

/// Every place of a shuffle is as likely as any other: 24,000 epochs of 4 samples have each of 24
/// orders about 1,000 times.
#[test]
fn orders_are_equally_likely() {
    let mut counts = std::collections::HashMap::new();
    for epoch in 0..24_000 {
        *counts.entry(shuffled(4, 9, epoch)).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 24);
    // Six standard deviations of a binomial with mean 1,000.
    assert!(counts.values().all(|count| (810..1190).contains(count)), "{counts:?}");
}

#[test]
fn an_image_changes_with_epoch_and_seed_alone() {
    let with = |seed, batch_size, shuffle| {
        let augment = "crop:3".parse().unwrap();
        loader(
            Counting::new(30),
            LoaderOptions {
                augment,
                seed,
                shuffle,
                threads: 2,
                ..options(batch_size)
            },
        )
    };
    let image = |loader: &Loader, epoch| {
        let find = |batch: Batch| {
            let at = batch.indices.iter().position(|&index| index == 11)?;
            Some(batch.images[at * 40..][..40].to_vec())
        };
        batches(loader, epoch, 0).into_iter().find_map(find).unwrap()
    };
    // Neither the batch size nor the order matters.
    assert_eq!(image(&with(4, 7, true), 2), image(&with(4, 30, false), 2));
    let differ = |a: fn(u64) -> (u64, u64)| {
        (0..20).any(|n| {
            let (seed, epoch) = a(n);
            image(&with(seed, 7, true), epoch) != image(&with(0, 7, true), 0)
        })
    };
    assert!(differ(|n| (n, 0)) && differ(|n| (0, n)));
}

#[test]
fn the_last_batch_is_small_or_left_out() {
    let sizes = |drop_last| {
        let loader = loader(
            Counting::new(10),
            LoaderOptions {
                drop_last,
                threads: 2,
                ..options(4)
            },
        );
        let sizes: Vec<_> = batches(&loader, 0, 0).iter().map(Batch::len).collect();
        assert_eq!((sizes.len(), loader.samples()), (loader.batches_per_epoch(), 10));
        sizes
    };
    assert_eq!(sizes(false), [4, 4, 2]);
    assert_eq!(sizes(true), [4, 4]);
}

/// The batch with the bad sample is the error; those before and after come as ever.
#[test]
fn errors_and_panics_arrive_at_their_place() {
    for threads in 0..4 {
        let ordered = LoaderOptions {
            shuffle: false,
            threads,
            ..options(4)
        };
        let failing = Counting {
            fail_at: Some(9),
            ..Counting::new(20)
        };
        let results: Vec<_> = loader(failing, ordered.clone()).epoch(0, 0).collect();
        assert_eq!(
            results.iter().map(Result::is_ok).collect::<Vec<_>>(),
            [true, true, false, true, true]
        );
        assert!(matches!(results[2], Err(DataError::Missing { .. })));

        let panicking = Counting {
            panic_at: Some(6),
            ..Counting::new(20)
        };
        let results: Vec<_> = loader(panicking, ordered).epoch(0, 0).collect();
        assert_eq!(
            results.iter().map(Result::is_ok).collect::<Vec<_>>(),
            [true, false, true, true, true]
        );
        let text = results.into_iter().nth(1).unwrap().unwrap_err().to_string();
        contains(&text, &["counting", "sample 6", "made to panic"]);
    }
}

/// Dropped after any number of batches, with threads waiting or at work.
#[test]
fn dropping_an_epoch_early_returns_soon() {
    let start = Instant::now();
    for threads in 0..4 {
        for (taken, prefetch) in [(0, 1), (1, 1), (2, 8), (5, 3), (9, 64)] {
            let slow = Counting {
                pause: Duration::from_micros(200),
                ..Counting::new(1000)
            };
            let loader = loader(
                slow,
                LoaderOptions {
                    threads,
                    prefetch,
                    ..options(5)
                },
            );
            let mut epoch = loader.epoch(0, 0);
            for _ in 0..taken {
                epoch.next().unwrap().unwrap();
            }
        }
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// Counts how far ahead of the consumer the loader runs.
#[test]
fn no_more_is_loaded_ahead_than_asked() {
    struct Watched(Counting, std::sync::atomic::AtomicUsize);
    impl Dataset for Watched {
        fn name(&self) -> &str {
            self.0.name()
        }
        fn len(&self) -> usize {
            self.0.len()
        }
        fn shape(&self) -> dtrp_data::ImageShape {
            self.0.shape()
        }
        fn classes(&self) -> usize {
            self.0.classes()
        }
        fn normalization(&self) -> dtrp_data::Normalization {
            self.0.normalization()
        }
        fn get(&self, index: usize, image: &mut [u8]) -> Result<u32, DataError> {
            self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            self.0.get(index, image)
        }
    }
    for (threads, prefetch, most) in [(1, 0, 1), (1, 3, 3), (3, 2, 3), (2, 5, 5)] {
        let set = Arc::new(Watched(Counting::new(100), Default::default()));
        let loader = Loader::new(
            set.clone(),
            LoaderOptions {
                threads,
                prefetch,
                ..options(1)
            },
        )
        .unwrap();
        let mut epoch = loader.epoch(0, 0);
        for taken in 1..20 {
            epoch.next().unwrap().unwrap();
            std::thread::sleep(Duration::from_millis(1));
            let made = set.1.load(std::sync::atomic::Ordering::SeqCst);
            assert!(
                made <= taken + most,
                "{made} made after {taken} taken with {threads} threads, {prefetch} ahead"
            );
        }
    }
}

#[test]
fn memory_is_used_again_and_waiting_is_measured() {
    let slow = Counting {
        pause: Duration::from_millis(2),
        ..Counting::new(12)
    };
    let loader = loader(
        slow,
        LoaderOptions {
            threads: 0,
            ..options(4)
        },
    );
    let mut epoch = loader.epoch(0, 0);
    let mut address = None;
    while let Some(batch) = epoch.next() {
        let batch = batch.unwrap();
        let here = batch.images.as_ptr() as usize;
        assert_eq!(*address.get_or_insert(here), here);
        epoch.recycle(batch);
    }
    assert!(epoch.wait_seconds() >= 0.024, "{}", epoch.wait_seconds());
    assert_eq!((epoch.position(), epoch.len()), (3, 0));
}

/// Both may go to another thread, as a worker of a run does.
#[test]
fn loaders_and_epochs_can_be_sent() {
    fn check<T: Send>() {}
    check::<Loader>();
    check::<dtrp_data::Epoch>();
}

#[test]
fn senseless_options_are_errors() {
    let wrong = |len, options| message(Loader::new(Arc::new(Counting::new(len)), options));
    contains(&wrong(5, options(0)), &["`batch_size`", "at least 1"]);
    contains(
        &wrong(
            5,
            LoaderOptions {
                limit: Some(0),
                ..options(2)
            },
        ),
        &["`limit`"],
    );
    contains(&wrong(0, options(2)), &["no samples"]);
    contains(&wrong(1 << 33, options(2)), &["2^32"]);
    contains(
        &wrong(
            5,
            LoaderOptions {
                drop_last: true,
                ..options(6)
            },
        ),
        &["`drop_last`", "5 samples"],
    );
}
