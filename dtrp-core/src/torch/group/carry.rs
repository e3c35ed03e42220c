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

#[cfg(test)]
mod tests {
    use super::super::gloo::Device as Way;
    use super::super::store::Store;
    use super::*;
    use proptest::prelude::*;
    use std::sync::OnceLock;
    use std::time::Duration;

    const SOON: Duration = Duration::from_secs(20);

    /// Two ends of a way, both in this process; each test has a tag of its own.
    fn routes(tag: i32) -> [Route; 2] {
        static GROUPS: OnceLock<[Group; 2]> = OnceLock::new();
        let groups = GROUPS.get_or_init(|| {
            let store = Store::open("127.0.0.1", 0, "test", SOON).unwrap();
            let join = |rank| {
                let store = store.another(SOON).unwrap();
                Group::new(&store, rank, 2, &Way::Address("127.0.0.1".to_owned()), SOON).unwrap()
            };
            std::thread::scope(|scope| {
                let other = scope.spawn(|| join(1));
                [join(0), other.join().unwrap()]
            })
        });
        [0, 1].map(|own| Route {
            group: groups[own].clone(),
            what: What::Up,
            program: 1,
            own,
            peer: 1 - own,
            tag,
        })
    }

    /// A tensor of whatever form.
    fn tensor() -> impl Strategy<Value = Tensor> {
        let kinds = [
            Kind::Float,
            Kind::Double,
            Kind::BFloat16,
            Kind::Half,
            Kind::Int64,
            Kind::Int,
            Kind::Uint8,
            Kind::Bool,
            Kind::ComplexFloat,
        ];
        let sizes = proptest::collection::vec(0i64..5, 4);
        (proptest::sample::select(kinds.to_vec()), sizes, 0..9).prop_map(|(kind, size, form)| {
            let count: i64 = size.iter().product();
            let x = Tensor::arange(count, (Kind::Int64, Device::Cpu))
                .to_kind(kind)
                .view(&size[..]);
            match form {
                0 => x,
                1 => x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]),
                2 => x.transpose(1, 2),
                3 => x.narrow(1, 0, size[1] / 2),
                4 => x.narrow(0, size[0] / 2, size[0] - size[0] / 2),
                5 => x.narrow(3, size[3] / 2, size[3] - size[3] / 2),
                6 => x.unsqueeze(0).expand([3, size[0], size[1], size[2], size[3]], false),
                7 => x.flatten(0, -1),
                _ => Tensor::ones([0i64; 0], (kind, Device::Cpu)),
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        #[test]
        fn tensors_arrive_as_they_lay(
            tensors in proptest::collection::vec(proptest::option::of(tensor()), 0..5),
            share in 0.0..=1.0f64,
            parts in 1..=9u16,
            batch in 0..=u32::MAX,
        ) {
            let [from, to] = routes(1);
            let unit = Unit { batch, micro: 3 };
            let parcel = Parcel { tensors, share, parts };
            let ((sent, parcel), received) = std::thread::scope(|scope| {
                let sent = scope.spawn(move || (from.send(unit, &parcel).map_err(|error| error.to_string()), parcel));
                let received = to.receive().map_err(|error| error.to_string());
                (sent.join().unwrap(), received)
            });
            sent.unwrap();
            let (found, arrived) = received.unwrap().unwrap();
            prop_assert_eq!(found, unit);
            prop_assert_eq!((arrived.share.to_bits(), arrived.parts), (share.to_bits(), parts));
            prop_assert_eq!(arrived.tensors.len(), parcel.tensors.len());
            for (arrived, sent) in arrived.tensors.iter().zip(&parcel.tensors) {
                prop_assert_eq!(arrived.is_some(), sent.is_some());
                let (Some(arrived), Some(sent)) = (arrived, sent) else { continue };
                prop_assert_eq!(arrived.kind(), sent.kind());
                prop_assert_eq!(Lying::of(arrived).size, Lying::of(sent).size);
                prop_assert_eq!(Lying::of(arrived).stride, Lying::of(sent).stride);
                prop_assert!(sent.numel() == 0 || Lying::of(arrived) == Lying::of(sent));
                prop_assert!(arrived.equal(sent));
            }
        }
    }

    #[test]
    fn what_should_not_come_is_named() {
        let [from, to] = routes(2);
        // A transfer is done when it is received.
        let told = |from: &Route, to: &Route| {
            std::thread::scope(|scope| {
                let sent = scope.spawn(|| from.end().map_err(|error| error.to_string()));
                let told = to.receive().unwrap_err().to_string();
                sent.join().unwrap().unwrap();
                told
            })
        };
        let other = Route {
            program: 2,
            ..from.clone()
        };
        assert_eq!(
            told(&other, &to),
            "what has come is End of program 2 from rank 0, but Up of program 1 from rank 0 should come"
        );
        let stranger = Route { own: 5, ..from.clone() };
        assert!(told(&stranger, &to).contains("from rank 5"));
        let error = std::thread::scope(|scope| {
            let sent = scope.spawn(|| {
                let garbage = Tensor::from_slice(&[7i64; WORDS]);
                from.group.send(&garbage, 1, from.tag).unwrap().wait()
            });
            let error = to.receive().unwrap_err().to_string();
            sent.join().unwrap().unwrap();
            error
        });
        assert!(
            error.starts_with("what has come is no message: it does not begin as"),
            "{error}"
        );
    }

    #[test]
    fn an_abort_ends_what_waits_and_what_would_wait() {
        let store = Store::open("127.0.0.1", 0, "test", SOON).unwrap();
        let group = Group::new(&store, 0, 1, &Way::Address("127.0.0.1".to_owned()), SOON).unwrap();
        let [_, to] = routes(3);
        let mut place = Tensor::zeros([4], (Kind::Float, Device::Cpu));
        let work = to.group.receive(&mut place, 0, 99).unwrap();
        drop(work);
        group.abort();
        let ended = group.receive(&mut place, 0, 1).err();
        assert_eq!(ended, Some(TransferError::Aborted));
    }
}
