//! Messages between two processes: what is sent, in which order, and how it becomes tensors again.

use super::gloo::{Group, TransferError};
use super::wire::{self, Form, Header, WORDS, What, WireError};
use crate::schedule::Unit;
use crate::torch::TorchError;
use crate::torch::saved::{Lying, flat, once};
use tch::{Device, Kind, Tensor};

/// What can be carried to another process: what a stage sends up or down.
pub trait Carried: Sized + Send + 'static {
    /// As tensors on the host. Called in a thread of its own; on a GPU it waits until they are computed.
    ///
    /// # Errors
    ///
    /// Those of libtorch.
    fn pack(self) -> Result<Parcel, TorchError>;

    /// What [`pack`](Self::pack) has made of it in the other process.
    ///
    /// # Errors
    ///
    /// Those of libtorch; [`TorchError::Unfit`] where it is not what this is made of.
    fn unpack(parcel: Parcel) -> Result<Self, TorchError>;
}

/// Tensors, and what goes with them.
#[derive(Debug)]
pub struct Parcel {
    /// The tensors, on the host; `None` where one is missing on purpose. They arrive lying in memory as they do here.
    pub tensors: Vec<Option<Tensor>>,
    /// The unit's share of its batch.
    pub share: f64,
    /// Into how many micro-batches its batch is split.
    pub parts: u16,
}

/// Why a message did not get through.
#[derive(Debug, thiserror::Error)]
pub(super) enum CarryError {
    /// The connection.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// What came is none.
    #[error("what has come is no message: {0}")]
    Wire(#[from] WireError),
    /// What came is not what should come.
    #[error("what has come is {found}, but {wanted} should come")]
    Unexpected { found: String, wanted: String },
    /// libtorch: mostly no memory.
    #[error(transparent)]
    Torch(#[from] TorchError),
}

/// One direction between two workers of different processes, during one program.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) group: Group,
    pub(super) what: What,
    pub(super) program: u64,
    /// This process.
    pub(super) own: usize,
    /// The other one.
    pub(super) peer: usize,
    pub(super) tag: i32,
}

impl Route {
    /// Sends a message.
    pub(super) fn send(&self, unit: Unit, parcel: &Parcel) -> Result<(), CarryError> {
        let mut forms = Vec::with_capacity(parcel.tensors.len());
        let mut payloads = Vec::new();
        for tensor in &parcel.tensors {
            let Some(tensor) = tensor else {
                forms.push(None);
                continue;
            };
            let tensor = tensor.f_detach().map_err(TorchError::from)?;
            let kind = tensor.f_kind().map_err(TorchError::from)?;
            let lying = Lying::of(&tensor);
            forms.push(Some(Form { kind, lying }));
            payloads.extend(payload(&tensor)?);
        }
        let words = wire::describe(&forms)?;
        let header = Header {
            what: self.what,
            program: self.program,
            rank: self.own,
            unit,
            parts: parcel.parts,
            share: parcel.share,
            tensors: forms.len(),
            words: words.len(),
        };
        self.put(header, &words, &payloads)
    }

    /// Says that nothing more comes of this program.
    pub(super) fn end(&self) -> Result<(), CarryError> {
        let header = Header {
            what: What::End,
            program: self.program,
            rank: self.own,
            unit: Unit { batch: 0, micro: 0 },
            parts: 0,
            share: 0.0,
            tensors: 0,
            words: 0,
        };
        self.put(header, &[], &[])
    }

    fn put(&self, header: Header, words: &[i64], payloads: &[Tensor]) -> Result<(), CarryError> {
        let mut all = vec![Tensor::f_from_slice(&header.to_words()).map_err(TorchError::from)?];
        if !words.is_empty() {
            all.push(Tensor::f_from_slice(words).map_err(TorchError::from)?);
        }
        let all = all.iter().chain(payloads);
        let works: Vec<_> = all
            .map(|tensor| self.group.send(tensor, self.peer, self.tag))
            .collect::<Result<_, _>>()?;
        for work in works {
            work.wait()?;
        }
        Ok(())
    }

    /// Receives a message, or that there are no more.
    pub(super) fn receive(&self) -> Result<Option<(Unit, Parcel)>, CarryError> {
        let words = self.words(WORDS)?;
        let words = <[i64; WORDS]>::try_from(words).map_err(|_| WireError::Description("is not there"))?;
        let header = Header::from_words(&words)?;
        self.check(&header)?;
        if header.what == What::End {
            return Ok(None);
        }
        let forms = wire::described(&self.words(header.words)?, header.tensors)?;
        let (mut tensors, mut arriving, mut works) = (Vec::with_capacity(forms.len()), Vec::new(), Vec::new());
        for (index, form) in forms.into_iter().enumerate() {
            let Some(Form { kind, lying }) = form else {
                tensors.push(None);
                continue;
            };
            let unfit = || WireError::Tensor {
                index,
                why: "cannot lie as it is said to".to_owned(),
            };
            let tensor = lying.zeros(kind, Device::Cpu)?.ok_or_else(unfit)?;
            if let Some((mut place, target)) = place(&tensor)? {
                works.push(self.group.receive(&mut place, self.peer, self.tag)?);
                arriving.extend(target.map(|target| (place, target)));
            }
            tensors.push(Some(tensor));
        }
        for work in works {
            work.wait()?;
        }
        for (place, mut target) in arriving {
            target.f_copy_(&place).map_err(TorchError::from)?;
        }
        let parcel = Parcel {
            tensors,
            share: header.share,
            parts: header.parts,
        };
        Ok(Some((header.unit, parcel)))
    }

    fn words(&self, count: usize) -> Result<Vec<i64>, CarryError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut words = Tensor::f_zeros([count as i64], (Kind::Int64, Device::Cpu)).map_err(TorchError::from)?;
        self.group.receive(&mut words, self.peer, self.tag)?.wait()?;
        Ok(Vec::<i64>::try_from(&words).map_err(TorchError::from)?)
    }

    /// The other process must run the same program, and send what this one waits for.
    fn check(&self, header: &Header) -> Result<(), CarryError> {
        let whole = |what, program, rank| format!("{what:?} of program {program} from rank {rank}");
        if header.program == self.program
            && header.rank == self.peer
            && (header.what == self.what || header.what == What::End)
        {
            return Ok(());
        }
        Err(CarryError::Unexpected {
            found: whole(header.what, header.program, header.rank),
            wanted: whole(self.what, self.program, self.peer),
        })
    }
}

/// What of a tensor is sent: its elements as they lie in memory, or, where there are gaps, a copy without them. Elements that
/// repeat are sent once; nothing where there are none.
fn payload(tensor: &Tensor) -> Result<Option<Tensor>, TorchError> {
    if tensor.numel() == 0 {
        return Ok(None);
    }
    let once = once(tensor)?;
    match flat(&once)? {
        Some(flat) => Ok(Some(flat)),
        None => Ok(Some(once.f_contiguous()?)),
    }
}

/// Where the elements of a tensor are received: in it, or in a tensor that is then copied to the second one.
fn place(tensor: &Tensor) -> Result<Option<(Tensor, Option<Tensor>)>, TorchError> {
    if tensor.numel() == 0 {
        return Ok(None);
    }
    let once = once(tensor)?;
    match flat(&once)? {
        Some(flat) => Ok(Some((flat, None))),
        None => {
            let place = Tensor::f_zeros(once.size(), (once.f_kind()?, Device::Cpu))?;
            Ok(Some((place, Some(once))))
        }
    }
}
