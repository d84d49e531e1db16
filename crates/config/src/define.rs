//! The macros that define settings: each is written down once, and everything else follows from that.

/// Defines sections.
///
/// ```text
/// settings! {
///     /// About the section.
///     "title in messages and schema" => pub struct Name {
///         /// About the key.
///         key: Type = default, rule Within(1, 10), example 5;
///     }
/// }
/// ```
///
/// `= default`, `rule` and `example` may each be left out. `pub struct Name with part: Part {` takes the keys of
/// another section in among its own. `"title" short key =>` lets the value of that key alone stand for the section. From this come the struct with its `Default`, the
/// reader with its messages, the JSON Schema and the reference page.
macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        $title:literal $(short $short:ident)? => pub struct $name:ident $(with $($part:ident: $part_kind:ty),+)? {$(
            $(#[doc = $doc:literal])+
            $key:ident: $kind:ty $(= $default:expr)? $(, rule $rule:expr)? $(, example $example:tt)?;
        )+}
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {$(
            $(#[doc = $doc])+
            pub $key: $kind,
        )+ $($(
            pub $part: $part_kind,
        )+)?}

        impl Default for $name {
            fn default() -> Self {
                Self {$(
                    $key: optional!($($default)?)
                        .unwrap_or_else(<$kind as $crate::value::Value>::absent),
                )+ $($(
                    $part: <$part_kind>::default(),
                )+)?}
            }
        }

        impl $crate::fields::Part for $name {
            fn names() -> Vec<&'static str> {
                #[allow(unused_mut, reason = "few sections have parts")]
                let mut names = vec![$(key!($key)),+];
                $($(names.extend(<$part_kind as $crate::fields::Part>::names());)+)?
                names
            }

            fn take(fields: &mut $crate::fields::Fields<'_, '_, '_>) -> Self {
                Self {$(
                    $key: fields.take(key!($key), &rule!($($rule)?), optional!($($default)?)),
                )+ $($(
                    $part: <$part_kind as $crate::fields::Part>::take(fields),
                )+)?}
            }

            fn keys() -> Vec<$crate::shape::Key> {
                #[allow(unused_mut, reason = "few sections have parts")]
                let mut keys = vec![$(
                    $crate::shape::Key::of::<$kind>(
                        key!($key),
                        &[$($doc),+],
                        &rule!($($rule)?),
                        optional!($($default)?),
                        optional!($(serde_json::json!($example))?),
                    ),
                )+];
                $($(keys.extend(<$part_kind as $crate::fields::Part>::keys());)+)?
                keys
            }

            fn write_into(&self, map: &mut serde_json::Map<String, serde_json::Value>) {
                $(
                    let value = $crate::value::Value::write(&self.$key);
                    map.insert(key!($key).to_owned(), value);
                )+
                $($($crate::fields::Part::write_into(&self.$part, map);)+)?
            }
        }

        impl $crate::value::Value for $name {
            const OPTIONAL: bool = true;
            const SINGLE: bool = short!($($short)?).is_some();

            fn read(
                node: &$crate::node::Node,
                _: &$crate::shape::Rule,
                reader: &mut $crate::reader::Reader<'_>,
            ) -> Option<Self> {
                let spelt_out = short!($($short)?).and_then(|key| node.spelt_out(key));
                let node = spelt_out.as_ref().unwrap_or(node);
                let names = <Self as $crate::fields::Part>::names();
                let mut fields = $crate::fields::Fields::of(node, $title, &names, reader)?;
                Some($crate::fields::Part::take(&mut fields))
            }

            fn absent() -> Self {
                Self::default()
            }

            fn write(&self) -> serde_json::Value {
                let mut map = serde_json::Map::new();
                $crate::fields::Part::write_into(self, &mut map);
                map.retain(|_, value| !value.is_null());
                map.into()
            }

            fn shape(_: &$crate::shape::Rule) -> $crate::shape::Shape {
                $crate::shape::Shape::Section($crate::shape::Section {
                    title: $title,
                    about: $crate::shape::prose(&[$($about),+]),
                    keys: <Self as $crate::fields::Part>::keys(),
                    short: short!($($short)?),
                })
            }
        }
    )+};
}

/// Defines enumerations, written in a configuration as one of a few words.
macro_rules! choices {
    ($(
        $(#[doc = $about:literal])+
        pub enum $name:ident {$(
            $(#[doc = $doc:literal])+
            $variant:ident = $word:literal,
        )+}
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name {$(
            $(#[doc = $doc])+
            $variant,
        )+}

        impl $name {
            const ALL: &[(&'static str, Self)] = &[$(($word, Self::$variant)),+];

            /// The word for it in a configuration.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl $crate::value::Value for $name {
            fn read(
                node: &$crate::node::Node,
                _: &$crate::shape::Rule,
                reader: &mut $crate::reader::Reader<'_>,
            ) -> Option<Self> {
                reader.choice(node, Self::ALL)
            }

            fn absent() -> Self {
                Self::ALL[0].1
            }

            fn write(&self) -> serde_json::Value {
                self.name().into()
            }

            fn shape(_: &$crate::shape::Rule) -> $crate::shape::Shape {
                $crate::shape::Shape::Choice(vec![$(
                    $crate::shape::Choice {
                        name: $word,
                        about: $crate::shape::prose(&[$($doc),+]),
                    },
                )+])
            }
        }
    )+};
}

/// A key as it is written.
macro_rules! key {
    (r#type) => {
        "type"
    };
    ($key:ident) => {
        stringify!($key)
    };
}

/// What a clause says, if it is there.
macro_rules! optional {
    () => {
        None
    };
    ($given:expr) => {
        Some($given)
    };
}

/// The rule of a key.
macro_rules! rule {
    () => {
        $crate::shape::Rule::Any
    };
    ($rule:expr) => {{
        #[allow(unused_imports, reason = "each rule names one of these")]
        use $crate::shape::Rule::*;
        $rule
    }};
}

/// The key whose value alone may stand for a section, if there is one.
macro_rules! short {
    () => {
        None::<&'static str>
    };
    ($key:ident) => {
        Some(key!($key))
    };
}
