//! The bytes of an IDX file.

use crate::files::Fault;
use crate::shape::ImageShape;

/// Bytes before the pixels.
pub(super) const HEADER_3: usize = 16;
/// Bytes before the labels.
pub(super) const HEADER_1: usize = 8;

/// Bytes that a file with this start has, `header` of them before the data; `None` if the start is
/// no header.
pub(super) fn size(start: &[u8], header: usize) -> Option<u64> {
    let sizes = start.get(4..header)?.chunks_exact(4);
    let mut sizes = sizes.map(|size| u64::from(u32::from_be_bytes([size[0], size[1], size[2], size[3]])));
    sizes.try_fold(1, u64::checked_mul)?.checked_add(header as u64)
}

/// Number of images and their shape.
pub(super) fn parse_images(bytes: &[u8]) -> Result<(usize, ImageShape), Fault> {
    let sizes = parse(bytes, 3)?;
    Ok((sizes[0], ImageShape::new(1, sizes[1], sizes[2])))
}

/// Everything wrong with a file of labels for `count` images (as many as there are if that is not
/// known).
pub(super) fn parse_labels(bytes: &[u8], count: Option<usize>, classes: usize) -> impl Iterator<Item = Fault> {
    let header = parse(bytes, 1);
    let sizes = header.as_ref().ok().and_then(|sizes| sizes.first().copied());
    let differs = sizes.zip(count).filter(|(labels, images)| labels != images);
    let differs = differs.map(|(labels, images)| {
        let problem = format!("{labels} labels for {images} images: the two files are of different sets");
        Fault::new(4, problem + "; get them again")
    });
    let labels = if sizes.is_some() { &bytes[HEADER_1..] } else { &[] };
    let wrong = labels
        .iter()
        .enumerate()
        .filter(move |&(_, &label)| usize::from(label) >= classes);
    let wrong = wrong.map(move |(at, label)| {
        Fault::new(
            HEADER_1 + at,
            format!("label {at} is {label}, but labels are below {classes}: the file is damaged or of another set"),
        )
    });
    header.err().into_iter().chain(differs).chain(wrong)
}

/// The sizes of a file of `rank` dimensions, none of them 0, whose length fits them.
fn parse(bytes: &[u8], rank: usize) -> Result<Vec<usize>, Fault> {
    let header = 4 + 4 * rank;
    if bytes.is_empty() {
        return Err(Fault::new(0, "the file is empty; get it again"));
    }
    let expected = [0, 0, 8, rank as u8];
    if let Some(at) = bytes
        .iter()
        .zip(expected)
        .position(|(&byte, expected)| byte != expected)
    {
        let problem =
            format!("an IDX file of {rank} dimensions of bytes starts with {expected:?}, not this: it is damaged");
        return Err(Fault::new(
            at,
            problem + ", or images and labels are exchanged; get it again",
        ));
    }
    if bytes.len() < header {
        return Err(Fault::new(
            bytes.len(),
            format!("the file ends inside its header of {header} bytes; get it again"),
        ));
    }
    let size = |at| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize;
    let sizes: Vec<_> = (0..rank).map(|axis| size(4 + 4 * axis)).collect();
    if let Some(axis) = sizes.iter().position(|&size| size == 0) {
        return Err(Fault::new(
            4 + 4 * axis,
            format!("dimension {axis} has size 0; get the file again"),
        ));
    }
    let length = bytes.len() as u64;
    match self::size(bytes, header) {
        Some(size) if size == length => Ok(sizes),
        Some(size) if size < length => Err(Fault::new(
            size as usize,
            format!("the header {sizes:?} promises that the file ends here; get it again"),
        )),
        size => {
            let size = size.map_or_else(|| "far more".to_string(), |size| size.to_string());
            let problem =
                format!("the file ends here, but its header {sizes:?} promises {size} bytes: it is truncated");
            Err(Fault::new(bytes.len(), problem + "; get it again"))
        }
    }
}
