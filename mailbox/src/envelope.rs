//! A signal in one allocation: list pointer, type, and payload together.
//!
//! # Invariants
//!
//! - E1: an `Envelope` owns a live, unaliased `Node<T>`, allocated by `Box`, whose
//!   header's `vtable` is `VTable::of::<T>()`.
//! - E2: `header.next` is meaningful only to the list that the node is in; an
//!   `Envelope` outside every list may have any value there.

use std::any::TypeId;
use std::fmt;
use std::ptr::{self, NonNull};

/// What every node begins with. Aligned to 8 so that the low three bits of a
/// node's address are free for the inbox word, on 32-bit machines too.
#[repr(C, align(8))]
pub(crate) struct Header {
    pub(crate) next: *mut Header,
    vtable: &'static VTable,
    /// The generation the signal was sent to; later, its place in the save queue.
    pub(crate) stamp: u32,
    kind: u32,
}

struct VTable {
    type_id: TypeId,
    type_name: fn() -> &'static str,
    size: usize,
    needs_drop: bool,
    drop: unsafe fn(NonNull<Header>),
}

impl VTable {
    const fn of<T: Send + 'static>() -> &'static VTable {
        const {
            &VTable {
                type_id: TypeId::of::<T>(),
                type_name: std::any::type_name::<T>,
                size: size_of::<Node<T>>(),
                needs_drop: std::mem::needs_drop::<T>(),
                drop: drop_node::<T>,
            }
        }
    }
}

#[repr(C)]
struct Node<T> {
    header: Header,
    payload: T,
}

/// # Safety
/// `node` must be a live `Node<T>` from `Box`, and not be used afterwards.
unsafe fn drop_node<T>(node: NonNull<Header>) {
    // SAFETY: E1, passed on by the caller.
    drop(unsafe { Box::from_raw(node.cast::<Node<T>>().as_ptr()) });
}

/// One signal on its way: a payload of any type, the generation of the process
/// that it was sent to, and a small number that says what kind of signal it is.
///
/// The queue itself gives the kind no meaning.
///
/// ```
/// use regrow_mailbox::Envelope;
///
/// let envelope = Envelope::new(1, 0, String::from("order 66"));
/// assert!(envelope.is::<String>());
/// let envelope = envelope.downcast::<u32>().unwrap_err(); // given back
/// assert_eq!(envelope.downcast::<String>().unwrap(), "order 66");
/// ```
pub struct Envelope(NonNull<Header>);

// SAFETY: an envelope owns its node (E1), and a payload is `Send` by `new`.
unsafe impl Send for Envelope {}

impl Envelope {
    /// Wraps `payload` for the process of the given `generation`.
    pub fn new<T: Send + 'static>(generation: u32, kind: u32, payload: T) -> Self {
        let node = Box::new(Node {
            header: Header {
                next: ptr::null_mut(),
                vtable: VTable::of::<T>(),
                stamp: generation,
                kind,
            },
            payload,
        });
        Envelope(NonNull::from(Box::leak(node)).cast())
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: E1.
        unsafe { self.0.as_ref() }
    }

    /// The generation that the signal was sent to. It means nothing once the
    /// envelope has been in a [`SaveQueue`](crate::SaveQueue), which numbers its messages in the same place.
    #[inline]
    pub fn generation(&self) -> u32 {
        self.header().stamp
    }

    /// The kind given to [`Envelope::new`], or set since.
    #[inline]
    pub fn kind(&self) -> u32 {
        self.header().kind
    }

    /// Changes the kind in place.
    #[inline]
    pub fn set_kind(&mut self, kind: u32) {
        // SAFETY: E1; `&mut self` makes the access exclusive.
        unsafe { self.0.as_mut() }.kind = kind;
    }

    /// Addresses the signal to another generation.
    #[inline]
    pub fn set_generation(&mut self, generation: u32) {
        // SAFETY: E1; `&mut self` makes the access exclusive.
        unsafe { self.0.as_mut() }.stamp = generation;
    }

    /// Whether the payload is a `T`.
    pub fn is<T: 'static>(&self) -> bool {
        self.header().vtable.type_id == TypeId::of::<T>()
    }

    /// The name of the payload's type, for people.
    pub fn type_name(&self) -> &'static str {
        (self.header().vtable.type_name)()
    }

    /// Whether dropping the payload runs any code of its type's.
    pub fn needs_drop(&self) -> bool {
        self.header().vtable.needs_drop
    }

    /// Bytes of its allocation; what the payload points to is not among them.
    pub fn size(&self) -> usize {
        self.header().vtable.size
    }

    /// The payload, if it is a `T`.
    pub fn peek<T: 'static>(&self) -> Option<&T> {
        // SAFETY: E1 and the type check: the node is a `Node<T>`.
        self.is::<T>()
            .then(|| unsafe { &self.0.cast::<Node<T>>().as_ref().payload })
    }

    /// The payload for changing, if it is a `T`.
    pub fn peek_mut<T: 'static>(&mut self) -> Option<&mut T> {
        // SAFETY: E1 and the type check; `&mut self` makes the access exclusive.
        self.is::<T>()
            .then(|| unsafe { &mut self.0.cast::<Node<T>>().as_mut().payload })
    }

    /// Takes the payload out.
    ///
    /// # Errors
    ///
    /// Gives the envelope back if the payload is not a `T`.
    pub fn downcast<T: 'static>(self) -> Result<T, Envelope> {
        if !self.is::<T>() {
            return Err(self);
        }
        // SAFETY: E1 and the type check; `into_raw` gives up this owner.
        let node = unsafe { Box::from_raw(self.into_raw().cast::<Node<T>>().as_ptr()) };
        Ok(node.payload)
    }

    /// Hands the node to a list.
    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<Header> {
        let raw = self.0;
        std::mem::forget(self);
        raw
    }

    /// Takes the node back from a list.
    ///
    /// # Safety
    /// `raw` must come from `into_raw`, and be owned by nobody else.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: NonNull<Header>) -> Self {
        Envelope(raw)
    }
}

impl Drop for Envelope {
    #[inline]
    fn drop(&mut self) {
        let drop = self.header().vtable.drop;
        // SAFETY: E1: `drop` is the function for the payload's type, called once.
        unsafe { drop(self.0) }
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("kind", &self.kind())
            .field("type", &self.type_name())
            .finish_non_exhaustive()
    }
}
