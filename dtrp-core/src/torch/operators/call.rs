//! Calling an operator.

use super::Operator;
use crate::torch::TorchError;
use crate::torch::shim::{CTensor, check};
use std::ffi::{c_char, c_void};
use std::ptr::null;
use tch::{Device, Kind, Tensor};

/// A value that an operator is given. Numbers are taken as the type that it declares: whole ones may be given for others, and
/// one where it takes a list.
#[derive(Debug)]
pub enum Value<'a> {
    /// No tensor, no number.
    None,
    /// What the operator takes where nothing is said.
    Default,
    /// A tensor.
    Tensor(&'a Tensor),
    /// A list of tensors, some of which may be none.
    Tensors(Vec<Option<&'a Tensor>>),
    /// A whole number. Layouts and memory formats are numbers too, those of c10.
    Int(i64),
    /// Whole numbers, such as a shape.
    Ints(&'a [i64]),
    /// A number.
    Float(f64),
    /// Numbers.
    Floats(&'a [f64]),
    /// A truth value.
    Bool(bool),
    /// Truth values.
    Bools(&'a [bool]),
    /// A word.
    Text(&'a str),
    /// An element type.
    Kind(Kind),
    /// Where to compute.
    Device(Device),
}

/// What an operator returns.
#[derive(Debug)]
pub enum Returned {
    /// Nothing, or no tensor.
    None,
    /// A tensor.
    Tensor(Tensor),
    /// A list of tensors; where one is missing, it stands as none.
    Tensors(Vec<Option<Tensor>>),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A truth value.
    Bool(bool),
}

/// A value as the shim takes and gives it; `operators.cpp` says what the fields mean.
#[repr(C)]
#[derive(Clone, Copy)]
struct Raw {
    tag: i32,
    index: i32,
    integer: i64,
    number: f64,
    items: *const c_void,
    count: usize,
}

const EMPTY: Raw = Raw {
    tag: 0,
    index: 0,
    integer: 0,
    number: 0.0,
    items: null(),
    count: 0,
};

unsafe extern "C" {
    fn dtrp_operator_call(
        operator: *const c_void,
        values: *const Raw,
        given: usize,
        results: *mut Raw,
        most: usize,
        count: *mut usize,
    ) -> *mut c_char;
    fn dtrp_operator_forget(items: *const c_void);
}

impl Operator {
    /// Calls it with a value for each of its arguments, in their order. Autograd, autocast and devices are as with any call.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    pub fn call(&self, values: &[Value<'_>]) -> Result<Vec<Returned>, TorchError> {
        let pointers: Vec<Vec<*const c_void>> = values.iter().map(pointers).collect();
        let raw: Vec<Raw> = values
            .iter()
            .zip(&pointers)
            .map(|(value, tensors)| raw(value, tensors))
            .collect();
        let mut results = vec![EMPTY; self.signature.results.len()];
        let mut count = 0;
        // SAFETY: a live handle; as many values as are said, whose tensors, lists and texts live until this returns; room for as
        // many results as are said.
        let error = unsafe {
            dtrp_operator_call(
                self.handle.0,
                raw.as_ptr(),
                raw.len(),
                results.as_mut_ptr(),
                results.len(),
                &raw mut count,
            )
        };
        // What came before an error is taken over too, so that it is freed.
        let returned = results[..count].iter().map(taken).collect();
        check("an operator", error)?;
        Ok(returned)
    }
}

fn pointers(value: &Value<'_>) -> Vec<*const c_void> {
    match value {
        Value::Tensor(tensor) => vec![tensor.as_ptr().cast()],
        Value::Tensors(tensors) => tensors
            .iter()
            .map(|tensor| tensor.map_or(null(), |tensor| tensor.as_ptr().cast()))
            .collect(),
        _ => Vec::new(),
    }
}

fn raw(value: &Value<'_>, tensors: &[*const c_void]) -> Raw {
    let list = |tag: i32, items: *const c_void, count: usize| Raw {
        tag,
        items,
        count,
        ..EMPTY
    };
    match value {
        Value::None => EMPTY,
        Value::Tensor(_) => list(1, tensors.as_ptr().cast(), 1),
        Value::Tensors(_) => list(2, tensors.as_ptr().cast(), tensors.len()),
        Value::Int(integer) => Raw {
            tag: 3,
            integer: *integer,
            ..EMPTY
        },
        Value::Kind(kind) => Raw {
            tag: 3,
            integer: number(*kind),
            ..EMPTY
        },
        Value::Ints(numbers) => list(4, numbers.as_ptr().cast(), numbers.len()),
        Value::Float(number) => Raw {
            tag: 5,
            number: *number,
            ..EMPTY
        },
        Value::Floats(numbers) => list(6, numbers.as_ptr().cast(), numbers.len()),
        Value::Bool(is) => Raw {
            tag: 7,
            integer: i64::from(*is),
            ..EMPTY
        },
        Value::Bools(values) => list(8, values.as_ptr().cast(), values.len()),
        Value::Text(text) => list(9, text.as_ptr().cast(), text.len()),
        Value::Device(device) => Raw {
            tag: 10,
            index: match device {
                Device::Cuda(index) => i32::try_from(*index).unwrap_or(0),
                _ => -1,
            },
            ..EMPTY
        },
        Value::Default => Raw { tag: 11, ..EMPTY },
    }
}

/// c10's number of an element type.
fn number(kind: Kind) -> i64 {
    match kind {
        Kind::Uint8 => 0,
        Kind::Int8 => 1,
        Kind::Int16 => 2,
        Kind::Int => 3,
        Kind::Int64 => 4,
        Kind::Half => 5,
        Kind::Float => 6,
        Kind::Double => 7,
        Kind::ComplexHalf => 8,
        Kind::ComplexFloat => 9,
        Kind::ComplexDouble => 10,
        Kind::Bool => 11,
        Kind::QInt8 => 12,
        Kind::QUInt8 => 13,
        Kind::QInt32 => 14,
        Kind::BFloat16 => 15,
        Kind::Float8e5m2 => 23,
        Kind::Float8e4m3fn => 24,
        Kind::Float8e5m2fnuz => 25,
        Kind::Float8e4m3fnuz => 26,
    }
}

/// Takes over a result.
fn taken(raw: &Raw) -> Returned {
    match raw.tag {
        1 | 2 => {
            let items: *const *mut CTensor = raw.items.cast();
            let tensor = |index: usize| {
                // SAFETY: the shim has written `count` pointers, each null or to a tensor that nobody else holds.
                unsafe {
                    let tensor = *items.add(index);
                    (!tensor.is_null()).then(|| Tensor::from_ptr(tensor.cast()))
                }
            };
            let mut tensors: Vec<Option<Tensor>> = (0..raw.count).map(tensor).collect();
            // SAFETY: the list is the shim's, and read.
            unsafe { dtrp_operator_forget(raw.items) };
            match (raw.tag, tensors.pop()) {
                (1, Some(Some(tensor))) => Returned::Tensor(tensor),
                (1, _) => Returned::None,
                (_, last) => {
                    tensors.extend(last);
                    Returned::Tensors(tensors)
                }
            }
        }
        3 => Returned::Int(raw.integer),
        5 => Returned::Float(raw.number),
        7 => Returned::Bool(raw.integer != 0),
        _ => Returned::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, overload: &str, values: &[Value<'_>]) -> Result<Vec<Returned>, TorchError> {
        Operator::find(name, overload).unwrap().unwrap().call(values)
    }

    fn tensor(mut returned: Vec<Returned>) -> Tensor {
        match returned.pop() {
            Some(Returned::Tensor(tensor)) => tensor,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_of_every_kind_go_in_and_come_out() {
        let x = Tensor::arange(6, (Kind::Float, Device::Cpu))
            .view([2, 3])
            .set_requires_grad(true);
        let sum = call(
            "aten::add",
            "Tensor",
            &[Value::Tensor(&x), Value::Tensor(&x), Value::Int(2)],
        )
        .unwrap();
        assert!(tensor(sum).equal(&(&x * 3.0)));
        // A whole number where another is declared; one where a list is; a list of tensors; none; a text.
        let scaled = call(
            "aten::elu",
            "",
            &[Value::Tensor(&x), Value::Int(1), Value::Default, Value::Int(1)],
        )
        .unwrap();
        assert!(tensor(scaled).equal(&x));
        let mean = call(
            "aten::mean",
            "dim",
            &[Value::Tensor(&x), Value::Int(1), Value::Bool(true), Value::None],
        )
        .unwrap();
        assert_eq!(tensor(mean).size(), [2, 1]);
        let cat = call(
            "aten::cat",
            "",
            &[Value::Tensors(vec![Some(&x), Some(&x)]), Value::Int(1)],
        )
        .unwrap();
        assert_eq!(tensor(cat).size(), [2, 6]);
        let index = Tensor::from_slice(&[1i64]);
        let row = call(
            "aten::index",
            "Tensor",
            &[Value::Tensor(&x), Value::Tensors(vec![None, Some(&index)])],
        );
        assert_eq!(tensor(row.unwrap()).size(), [2, 1]);
        let halves = call("aten::unbind", "int", &[Value::Tensor(&x), Value::Int(0)]).unwrap();
        assert!(matches!(&halves[..], [Returned::Tensors(rows)] if rows.len() == 2));
        let gelu = call("aten::gelu", "", &[Value::Tensor(&x), Value::Text("tanh")]).unwrap();
        assert!(tensor(gelu).requires_grad());
        let zeros = call(
            "aten::zeros",
            "",
            &[
                Value::Ints(&[2]),
                Value::Kind(Kind::Double),
                Value::None,
                Value::Device(Device::Cpu),
                Value::Bool(false),
            ],
        );
        assert_eq!(tensor(zeros.unwrap()).kind(), Kind::Double);
        let size = call("aten::size", "int", &[Value::Tensor(&x), Value::Int(1)]).unwrap();
        assert!(matches!(size[..], [Returned::Int(3)]));
    }

    #[test]
    fn errors_are_texts_without_frames() {
        let x = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
        let two = [Value::Tensor(&x), Value::Tensor(&x)];
        for (name, overload, values, says) in [
            ("aten::mm", "", &two[..], "cannot be multiplied"),
            ("aten::mm", "", &two[..1], "it takes 2 values, not 1"),
            ("aten::mm", "", &[Value::Tensor(&x), Value::Default][..], "`mat2`"),
        ] {
            let message = call(name, overload, values).unwrap_err().to_string();
            assert!(message.contains(says) && !message.contains("frame #"), "{message}");
        }
    }
}
