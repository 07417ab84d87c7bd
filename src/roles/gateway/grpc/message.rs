//! Messages: one declaration gives the struct, its codec and its description for reflection. Pure.
//!
//! ```text
//!   messages! { FILE: Id = "ID" { id: i32 = 1 } … }  ──▶  struct Id, decode, encode, Id::FACTS ──▶ reflection
//! ```
//!
//! Strings may be invalid UTF-8, although their type says otherwise: one of the older clients cuts its posts inside a character.
//! They are decoded as bytes, and what is invalid is replaced. A number in place of a string is an error. Fields of other numbers
//! are skipped, and those with the default value are left out, as proto3 says.

use super::wire::{WireError, WireReader, WireValue, write_bytes, write_number};

/// File that declares messages and services, for reflection.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileFacts {
    pub name: &'static str,
    /// May be empty.
    pub package: &'static str,
}

/// Description of a message, for reflection.
#[derive(Debug)]
pub struct MessageFacts {
    pub file: &'static FileFacts,
    pub name: &'static str,
    pub fields: &'static [FieldFacts],
}

/// Description of a field.
#[derive(Debug)]
pub struct FieldFacts {
    pub name: &'static str,
    pub number: u32,
    pub repeated: bool,
    pub kind: FieldKind,
}

/// Type of a field.
#[derive(Debug, Clone, Copy)]
pub enum FieldKind {
    Int64,
    Int32,
    Bool,
    String,
    Bytes,
    Message(&'static MessageFacts),
    Enum(&'static EnumFacts),
}

/// Description of an enumeration.
#[derive(Debug)]
pub struct EnumFacts {
    pub file: &'static FileFacts,
    pub name: &'static str,
    /// Message that it is declared in, if it is.
    pub inside: Option<&'static str>,
    pub values: &'static [(&'static str, i32)],
}

/// Message of a protocol.
pub trait Message: Default {
    const FACTS: MessageFacts;

    /// Takes the value of a field. Fields of other numbers are skipped.
    ///
    /// # Errors
    /// `OtherType` if the value has another type than the field, and the errors of a message inside.
    fn take(&mut self, number: u32, value: WireValue<'_>) -> Result<(), WireError>;

    /// Appends the fields.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads a message.
    ///
    /// # Errors
    /// If the bytes are no message, or a field has another type.
    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut message = Self::default();
        let mut fields = WireReader::new(bytes);
        while let Some((number, value)) = fields.field()? {
            message.take(number, value)?;
        }
        Ok(message)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

/// Type of a field of a message.
pub trait Field {
    const KIND: FieldKind;
    const REPEATED: bool = false;

    fn take(&mut self, value: WireValue<'_>) -> Result<(), WireError>;

    /// Appends the field, unless it has the default value.
    fn write(&self, number: u32, out: &mut Vec<u8>);
}

/// Value that may be repeated. It is written even if it is the default value.
pub trait Item: Sized {
    const KIND: FieldKind;

    fn read(value: WireValue<'_>) -> Result<Self, WireError>;

    fn write(&self, number: u32, out: &mut Vec<u8>);
}

impl Item for String {
    const KIND: FieldKind = FieldKind::String;

    fn read(value: WireValue<'_>) -> Result<String, WireError> {
        match value {
            WireValue::Bytes(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
            _ => Err(WireError::OtherType),
        }
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        write_bytes(out, number, self.as_bytes());
    }
}

impl Item for Vec<u8> {
    const KIND: FieldKind = FieldKind::Bytes;

    fn read(value: WireValue<'_>) -> Result<Vec<u8>, WireError> {
        match value {
            WireValue::Bytes(bytes) => Ok(bytes.to_vec()),
            _ => Err(WireError::OtherType),
        }
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        write_bytes(out, number, self);
    }
}

impl<M: Message> Item for M {
    const KIND: FieldKind = FieldKind::Message(&M::FACTS);

    fn read(value: WireValue<'_>) -> Result<M, WireError> {
        match value {
            WireValue::Bytes(bytes) => M::decode(bytes),
            _ => Err(WireError::OtherType),
        }
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        write_bytes(out, number, &self.encode());
    }
}

impl<I: Item> Field for Vec<I> {
    const KIND: FieldKind = I::KIND;
    const REPEATED: bool = true;

    fn take(&mut self, value: WireValue<'_>) -> Result<(), WireError> {
        self.push(I::read(value)?);
        Ok(())
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        for item in self {
            item.write(number, out);
        }
    }
}

/// A field that may be missing, and is written if it has the default value.
impl<I: Item> Field for Option<I> {
    const KIND: FieldKind = I::KIND;

    fn take(&mut self, value: WireValue<'_>) -> Result<(), WireError> {
        *self = Some(I::read(value)?);
        Ok(())
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        if let Some(item) = self {
            item.write(number, out);
        }
    }
}

impl Field for String {
    const KIND: FieldKind = FieldKind::String;

    fn take(&mut self, value: WireValue<'_>) -> Result<(), WireError> {
        *self = Item::read(value)?;
        Ok(())
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        if !self.is_empty() {
            write_bytes(out, number, self.as_bytes());
        }
    }
}

/// Implements [`Field`] for a type whose value is a number.
macro_rules! number_field {
    ($type:ty, $kind:expr, $number:ident => $read:expr, $write:expr) => {
        impl Field for $type {
            const KIND: FieldKind = $kind;

            fn take(&mut self, value: WireValue<'_>) -> Result<(), WireError> {
                let WireValue::Varint($number) = value else { return Err(WireError::OtherType) };
                *self = $read;
                Ok(())
            }

            fn write(&self, number: u32, out: &mut Vec<u8>) {
                if *self != <$type>::default() {
                    let write: fn($type) -> u64 = $write;
                    write_number(out, number, write(*self));
                }
            }
        }
    };
}
number_field!(bool, FieldKind::Bool, number => number != 0, u64::from);
number_field!(i64, FieldKind::Int64, number => number.cast_signed(), i64::cast_unsigned);
// The high bits of an `int32` are those of its sign, and other implementations drop them, too.
number_field!(i32, FieldKind::Int32, number => int32(number), |value| i64::from(value).cast_unsigned());

/// Enumeration of a protocol.
pub trait Enumeration: Copy + Default + PartialEq {
    const FACTS: EnumFacts;

    /// Returns the value with this number, or the first one if there is none.
    fn from_number(number: i32) -> Self;

    fn number(self) -> i32;
}

impl<E: Enumeration> Field for E {
    const KIND: FieldKind = FieldKind::Enum(&E::FACTS);

    fn take(&mut self, value: WireValue<'_>) -> Result<(), WireError> {
        let mut number = 0;
        Field::take(&mut number, value)?;
        *self = E::from_number(number);
        Ok(())
    }

    fn write(&self, number: u32, out: &mut Vec<u8>) {
        Field::write(&self.number(), number, out);
    }
}

/// Returns the value of an `int32`.
fn int32(number: u64) -> i32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// Declares the messages of a file: for each the struct and its codec.
macro_rules! messages {
    ($file:path: $($(#[$doc:meta])* $message:ident = $name:literal {
        $($(#[$field_doc:meta])* $field:ident: $type:ty = $number:literal),* $(,)?
    })*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $message {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $crate::gateway::grpc::message::Message for $message {
            const FACTS: $crate::gateway::grpc::message::MessageFacts =
                $crate::gateway::grpc::message::MessageFacts {
                    file: &$file,
                    name: $name,
                    fields: &[$($crate::gateway::grpc::message::FieldFacts {
                        name: stringify!($field),
                        number: $number,
                        repeated: <$type as $crate::gateway::grpc::message::Field>::REPEATED,
                        kind: <$type as $crate::gateway::grpc::message::Field>::KIND,
                    }),*],
                };

            #[allow(unused_variables)]
            fn take(
                &mut self,
                number: u32,
                value: $crate::gateway::grpc::wire::WireValue<'_>,
            ) -> Result<(), $crate::gateway::grpc::wire::WireError> {
                match number {
                    $($number => $crate::gateway::grpc::message::Field::take(&mut self.$field, value),)*
                    _ => Ok(()),
                }
            }

            #[allow(unused_variables)]
            fn write(&self, out: &mut Vec<u8>) {
                $($crate::gateway::grpc::message::Field::write(&self.$field, $number, out);)*
            }
        })*
    };
}
pub(crate) use messages;

/// Declares an enumeration of a file, maybe inside a message of it. A number without a name is read as the first value.
macro_rules! enumeration {
    ($file:path $(, in $inside:literal)?: $(#[$doc:meta])* $type:ident = $name:literal {
        $first:ident = $first_name:literal = $first_number:literal,
        $($value:ident = $value_name:literal = $number:literal),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub enum $type {
            #[default]
            $first = $first_number,
            $($value = $number),*
        }

        impl $crate::gateway::grpc::message::Enumeration for $type {
            const FACTS: $crate::gateway::grpc::message::EnumFacts =
                $crate::gateway::grpc::message::EnumFacts {
                    file: &$file,
                    name: $name,
                    inside: $crate::gateway::grpc::message::enumeration!(@ $($inside)?),
                    values: &[($first_name, $first_number), $(($value_name, $number)),*],
                };

            fn from_number(number: i32) -> $type {
                match number {
                    $($number => $type::$value,)*
                    _ => $type::$first,
                }
            }

            fn number(self) -> i32 {
                self as i32
            }
        }
    };
    (@) => { None };
    (@ $inside:literal) => { Some($inside) };
}
pub(crate) use enumeration;
