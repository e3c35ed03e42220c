//! Events as bytes: a message of `tensorflow/core/util/event.proto` in a record of `tensorflow/core/lib/io/record_writer.h`.
//!
//! ```text
//! record      u64 length, u32 masked CRC-32C of the length, the message, u32 masked CRC-32C of the message; little-endian
//! Event       1 wall_time: double   2 step: int64   3 file_version: string   5 summary: Summary   7 session_log: SessionLog
//! Summary     1 value: repeated Value { 1 tag: string   2 simple_value: float   8 tensor: TensorProto   9 metadata }
//! SessionLog  1 status: enum (1 START)
//! metadata    1 plugin_data { 1 plugin_name: string }   4 data_class: enum (2 TENSOR)
//! TensorProto 1 dtype: enum (7 DT_STRING)   2 tensor_shape: message (empty: a scalar)   8 string_val: repeated bytes
//! ```
//!
//! These few fields of messages that have not changed in years are written here: the crates that write event files bring
//! generated code for all of TensorFlow's messages, and with it a second protobuf library.

/// What an event tells.
pub(super) enum What<'a> {
    /// The first one of a file.
    Version,
    /// Whatever was told before of this step and later ones is void.
    Resumed,
    /// Values under their tags.
    Scalars(&'a [(String, f64)]),
    /// A tag, and text in Markdown.
    Text(&'a str, &'a str),
}

/// An event at `step`, as a record. `time` is in seconds since 1970.
pub(super) fn record(time: f64, step: u64, what: &What) -> Vec<u8> {
    let mut event = Message::default();
    event.fixed64(1, time.to_bits());
    event.varint(2, step);
    match what {
        What::Version => event.bytes(3, b"brain.Event:2"),
        What::Resumed => event.message(7, |session| session.varint(1, 1)),
        What::Scalars(values) => event.message(5, |summary| {
            for (tag, value) in *values {
                summary.message(1, |entry| {
                    entry.bytes(1, tag.as_bytes());
                    entry.fixed32(2, (*value as f32).to_bits());
                });
            }
        }),
        What::Text(tag, text) => event.message(5, |summary| {
            summary.message(1, |entry| {
                entry.bytes(1, tag.as_bytes());
                entry.message(8, |tensor| {
                    tensor.varint(1, 7);
                    tensor.message(2, |_| {});
                    tensor.bytes(8, text.as_bytes());
                });
                entry.message(9, |metadata| {
                    metadata.message(1, |plugin| plugin.bytes(1, b"text"));
                    metadata.varint(4, 2);
                });
            });
        }),
    }
    framed(&event.0)
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let checks = [masked_crc(&length), masked_crc(message)].map(u32::to_le_bytes);
    [&length[..], &checks[0], message, &checks[1]].concat()
}

/// As TensorFlow masks checksums that stand beside what they check.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Fields one after another, each with its number and how it is written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, field: u64, value: u64) {
        self.number(field << 3);
        self.number(value);
    }

    fn fixed64(&mut self, field: u64, bits: u64) {
        self.number(field << 3 | 1);
        self.0.extend(bits.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.number(field << 3 | 2);
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn fixed32(&mut self, field: u64, bits: u32) {
        self.number(field << 3 | 5);
        self.0.extend(bits.to_le_bytes());
    }

    fn message(&mut self, field: u64, fill: impl FnOnce(&mut Message)) {
        let mut inner = Message::default();
        fill(&mut inner);
        self.bytes(field, &inner.0);
    }

    /// Seven bits a byte, the lowest first.
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn bytes_are_those_of_tensorboards_own_writer() {
        // From the message classes and the `RecordWriter` of the package `tensorboard`, 2.21.0.
        for (step, what, bytes) in [
            (
                300,
                What::Scalars(&[("a".to_owned(), 0.25)]),
                "1800000000000000a37f4b2209000000000000f83f10ac022a0a0a080a0161150000803eb4fa9511",
            ),
            (
                4,
                What::Resumed,
                "0f000000000000006d532b0909000000000000f83f10043a020801d0b789e7",
            ),
            (
                3,
                What::Text("t", "x"),
                "2700000000000000bbe1b14609000000000000f83f10032a1a0a180a01744207080712004201784a0a0a060a04746578742002baed1353",
            ),
        ] {
            assert_eq!(hex(&record(1.5, step, &what)), bytes);
        }
    }
}
