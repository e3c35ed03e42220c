//! JPEG by libjpeg-turbo's decoder (of mozjpeg, whose decoder is that of libjpeg-turbo), with its
//! defaults: accurate integer DCT, smooth ("fancy") upsampling. Those are the pixels that Pillow
//! and torchvision give.

use super::container::{self, Frame};
use super::{Raw, Remarks, Samples, check_size, samples, undecodable};
use crate::files::Fault;
use mozjpeg_sys::{
    J_COLOR_SPACE, jpeg_common_struct, jpeg_create_decompress, jpeg_decompress_struct, jpeg_destroy_decompress,
    jpeg_error_mgr, jpeg_finish_decompress, jpeg_mem_src, jpeg_read_header, jpeg_read_scanlines, jpeg_start_decompress,
    jpeg_std_error,
};
use std::ffi::{c_int, c_ulong, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{addr_of_mut, from_mut};

/// Scans that a file may have: each goes over the whole image, so many scans of a few bytes each
/// would keep the decoder busy for hours. Progressive files have some ten.
const MOST_SCANS: usize = 500;

pub(super) fn decode(file: &[u8]) -> Result<Raw, Fault> {
    let frame = container::jpeg(file)?;
    check(&frame, file.len())?;
    let mut remarks = Remarks {
        turned: frame.exif.is_some_and(container::turned),
        ..Remarks::default()
    };
    let decoded = decode_samples(file).map_err(|why| undecodable(frame.data, &why))?;
    remarks.left_over = decoded.left_over;
    let samples = match decoded.components {
        1 => Samples::Grey(decoded.bytes),
        3 => Samples::Rgb(decoded.bytes),
        // Adobe's convention, which Pillow takes for granted: 255 is no ink.
        _ => {
            let ink: Vec<u8> = decoded.bytes.iter().map(|&light| 255 - light).collect();
            Samples::Rgb(samples::from_cmyk(&ink))
        }
    };
    Ok(Raw {
        samples,
        height: decoded.height,
        width: decoded.width,
        remarks,
    })
}

/// What the header promises, before any memory is taken for it.
fn check(frame: &Frame, length: usize) -> Result<(), Fault> {
    let fault = |problem: String| Err(Fault::new(frame.start, problem));
    let process = match frame.process {
        0xc0..=0xc2 | 0xc9 | 0xca => None,
        0xc3 | 0xcb => Some("lossless"),
        _ => Some("hierarchical"),
    };
    if let Some(process) = process {
        return fault(format!("a {process} JPEG, which is not read: convert it to PNG"));
    }
    if frame.precision != 8 {
        let bits = frame.precision;
        return fault(format!(
            "a JPEG of {bits} bits a sample; only 8 are read: convert it to PNG"
        ));
    }
    if !matches!(frame.components, 1 | 3 | 4) {
        let channels = frame.components;
        return fault(format!(
            "a JPEG of {channels} channels; 1, 3 and 4 are read: convert it to PNG"
        ));
    }
    let (height, width) = (u64::from(frame.height), u64::from(frame.width));
    check_size(frame.start, height, width)?;
    if frame.scans > MOST_SCANS {
        let scans = frame.scans;
        return fault(format!(
            "a JPEG of {scans} scans; at most {MOST_SCANS} are read: convert it to PNG"
        ));
    }
    // Every block of the first channel takes at least a bit of Huffman code. (Arithmetic coding
    // may do with less.)
    if frame.process <= 0xc2 && frame.blocks() > 8 * length as u64 {
        return fault(format!(
            "the header says {height}x{width} pixels, for which the file is too short: it is damaged or truncated; \
             replace it"
        ));
    }
    Ok(())
}

struct Pixels {
    bytes: Vec<u8>,
    height: usize,
    width: usize,
    /// 1: grey; 3: red, green, blue; 4: as stored, or turned to cyan, magenta, yellow, black.
    components: usize,
    left_over: bool,
}

/// The message of libjpeg that ended the decoding.
struct Stopped(String);

fn decode_samples(file: &[u8]) -> Result<Pixels, String> {
    // Errors come as unwinding, which is caught here; the decoder is then destroyed by its drop.
    catch_unwind(AssertUnwindSafe(|| read(file))).unwrap_or_else(|panic| match panic.downcast::<Stopped>() {
        Ok(stopped) => Err(stopped.0),
        Err(panic) => resume_unwind(panic),
    })
}

/// libjpeg's state, at one place in memory as it holds addresses of itself.
struct Decoder {
    info: jpeg_decompress_struct,
    errors: jpeg_error_mgr,
    left_over: bool,
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: `info` was made by `jpeg_create_decompress` or is zeroed, for which this does nothing.
        unsafe { jpeg_destroy_decompress(&mut self.info) }
    }
}

fn read(file: &[u8]) -> Result<Pixels, String> {
    // SAFETY: zeroed is what `jpeg_std_error` and `jpeg_create_decompress` expect; both structs are plain C.
    let mut decoder = Box::new(unsafe {
        Decoder {
            info: std::mem::zeroed(),
            errors: std::mem::zeroed(),
            left_over: false,
        }
    });
    let decoder: &mut Decoder = &mut decoder;
    // SAFETY: the decoder stays where it is until it is dropped, the file's bytes outlive it, and the calls come in
    // the order that libjpeg asks for. Rows are written to `row`, which has the length that libjpeg says.
    unsafe {
        decoder.info.common.err = from_mut(jpeg_std_error(&mut decoder.errors));
        decoder.errors.error_exit = Some(stop);
        decoder.errors.emit_message = Some(hear);
        decoder.info.common.client_data = addr_of_mut!(decoder.left_over).cast::<c_void>();
        jpeg_create_decompress(&mut decoder.info);
        jpeg_mem_src(&mut decoder.info, file.as_ptr(), file.len() as c_ulong);
        jpeg_read_header(&mut decoder.info, 1);
        decoder.info.out_color_space = match decoder.info.num_components {
            1 => J_COLOR_SPACE::JCS_GRAYSCALE,
            3 => J_COLOR_SPACE::JCS_RGB,
            _ => J_COLOR_SPACE::JCS_CMYK,
        };
        jpeg_start_decompress(&mut decoder.info);
        let (height, width) = (decoder.info.output_height as usize, decoder.info.output_width as usize);
        let components = decoder.info.output_components as usize;
        let mut bytes = vec![0; height * width * components];
        for row in bytes.chunks_exact_mut(width * components) {
            let mut row = row.as_mut_ptr();
            // A source in memory never suspends: every call gives its row.
            if jpeg_read_scanlines(&mut decoder.info, &mut row, 1) != 1 {
                return Err("a row is missing".to_string());
            }
        }
        jpeg_finish_decompress(&mut decoder.info);
        Ok(Pixels {
            bytes,
            height,
            width,
            components,
            left_over: decoder.left_over,
        })
    }
}

/// libjpeg's text for what has just happened.
fn text(info: &mut jpeg_common_struct) -> String {
    type Format = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, *mut u8);
    let mut buffer = [0u8; 80];
    // SAFETY: `err` is the error manager of `read`, whose `format_message` is the default one, which writes a text of
    // less than 80 bytes. Its declared parameter, a shared reference, would not allow that, a pointer does.
    unsafe {
        if let Some(format) = (*info.err).format_message {
            let format: Format = std::mem::transmute(format);
            format(info, buffer.as_mut_ptr());
        }
    }
    let end = buffer.iter().position(|&byte| byte == 0).unwrap_or(buffer.len());
    String::from_utf8_lossy(&buffer[..end]).into_owned()
}

/// For libjpeg: an error from which there is no way on.
extern "C-unwind" fn stop(info: &mut jpeg_common_struct) {
    resume_unwind(Box::new(Stopped(text(info))));
}

/// For libjpeg: a warning (level −1), or a trace (0 and more).
///
/// libjpeg goes on with made-up pixels after most warnings; here they end the decoding, but for
/// those after which the pixels are what was stored.
extern "C-unwind" fn hear(info: &mut jpeg_common_struct, level: c_int) {
    if level >= 0 {
        return;
    }
    let text = text(info);
    if text.contains("extraneous bytes before marker") {
        // SAFETY: `read` put the address of its flag there.
        unsafe { *info.client_data.cast::<bool>() = true };
    } else if !["Adobe color transform", "JFIF revision", "ICC"]
        .iter()
        .any(|harmless| text.contains(harmless))
    {
        resume_unwind(Box::new(Stopped(text)));
    }
}
