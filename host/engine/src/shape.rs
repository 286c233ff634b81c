//! Whether a component's types are the contract's. Types are written out in full and compared as text, which also gives the error its words.

use std::fmt::Write as _;

use wasmparser::Validator;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentFuncTypeId, ComponentInstanceTypeId,
    ComponentValType,
};
use wasmparser::types::TypesRef;

use crate::check::features;
use crate::error::Refusal;
use crate::fault::sanitise;
use crate::limits::MAX_SHAPE_CHARS;
use crate::versions::{VERSIONS, Version, family, newest, served};

/// The functions of the contract's interface.
const FUNCTIONS: [&str; 4] = ["manifest", "interest", "decide", "explain"];
/// Characters of each type that an error shows, from the first difference on.
const SHOWN_CHARS: usize = 90;

/// That the component with these `types` and `exports` exports the contract's interface in a version that this host serves.
pub(crate) fn check(types: TypesRef<'_>, exports: &[&str]) -> Result<(), Refusal> {
    let not_a_policy = || {
        let names: Vec<String> = exports.iter().take(5).map(|e| format!("`{}`", sanitise(e))).collect();
        let found =
            if names.is_empty() { " or anything else".to_owned() } else { format!(" but {}", names.join(", ")) };
        Refusal::NotAPolicy { expected: newest().interface.to_owned(), found }
    };
    let exported = |v: &'static Version| types.component_item_for_export(v.interface).map(|item| (v, item));
    // The newest first, should a plugin speak several.
    let Some((version, item)) = VERSIONS.iter().rev().find_map(exported) else {
        let other = exports.iter().find(|e| e.split('@').next() == Some(family()));
        return Err(
            other.map_or_else(not_a_policy, |found| Refusal::OtherVersion { found: sanitise(found), served: served() })
        );
    };
    let ComponentEntityType::Instance(instance) = item.ty else { return Err(not_a_policy()) };
    let found = functions(types, instance);
    for (name, expected) in version.functions.as_ref().map_err(Clone::clone)? {
        let function = format!("{}#{name}", version.interface);
        let Some((_, found)) = found.iter().find(|(n, _)| n == name) else {
            return Err(Refusal::NotAPolicy { expected: function, found: String::new() });
        };
        if found != expected {
            let same = found.chars().zip(expected.chars()).take_while(|(a, b)| a == b).count();
            let from = |text: &str| {
                sanitise(&text.chars().skip(same.saturating_sub(20)).take(SHOWN_CHARS).collect::<String>())
            };
            return Err(Refusal::WrongType { function, found: from(found), expected: from(expected) });
        }
    }
    Ok(())
}

/// Whether import `name` is an instance that holds types and nothing else: what the contract's `use types.{…}` becomes.
pub(crate) fn is_types_only(types: TypesRef<'_>, name: &str) -> bool {
    match types.component_item_for_import(name).map(|i| i.ty) {
        Some(ComponentEntityType::Instance(id)) => types[id].exports.values().all(|e| {
            matches!(e.ty, ComponentEntityType::Type { referenced, .. } if !matches!(referenced, ComponentAnyTypeId::Resource(_)))
        }),
        _ => false,
    }
}

/// The functions of `version` with their types, from its own text.
pub(crate) fn functions_of(version: &Version) -> Result<Vec<(String, String)>, Refusal> {
    let broken = || Refusal::NotEncodable { detail: "the host's own contract cannot be read".to_owned() };
    let (resolve, world) = version.parse()?;
    let package = resolve.worlds[world].package.ok_or_else(broken)?;
    let bytes = wit_component::encode(&resolve, package).map_err(|_| broken())?;
    let types = Validator::new_with_features(features()).validate_all(&bytes).map_err(|_| broken())?;
    let types = types.as_ref();
    // The text's component exports the world as a type: a component that exports the world's own component type.
    let world = types.component_item_for_export("policy").ok_or_else(broken)?;
    let ComponentEntityType::Type { referenced: ComponentAnyTypeId::Component(outer), .. } = world.ty else {
        return Err(broken());
    };
    let inner = types[outer].exports.values().next().ok_or_else(broken)?;
    let ComponentEntityType::Component(inner) = inner.ty else { return Err(broken()) };
    match types[inner].exports.get(version.interface).map(|i| i.ty) {
        Some(ComponentEntityType::Instance(id)) => Ok(functions(types, id)),
        _ => Err(broken()),
    }
}

/// The contract's functions among what an instance exports: it may export any number of others, each with a type of any length.
fn functions(types: TypesRef<'_>, instance: ComponentInstanceTypeId) -> Vec<(String, String)> {
    let exports = &types[instance].exports;
    let funcs = FUNCTIONS.iter().filter_map(|name| match exports.get(*name).map(|item| item.ty) {
        Some(ComponentEntityType::Func(id)) => Some(((*name).to_owned(), Writer::function(types, id))),
        _ => None,
    });
    funcs.collect()
}

/// Writes a type out in full, names of types left away: aliases and the place of a definition make no difference. Stops at
/// [`MAX_SHAPE_CHARS`], which a hostile type reaches quickly and the contract's never.
struct Writer<'a> {
    types: TypesRef<'a>,
    text: String,
}

impl<'a> Writer<'a> {
    fn function(types: TypesRef<'a>, id: ComponentFuncTypeId) -> String {
        let mut w = Self { types, text: String::new() };
        let func = &types[id];
        w.text.push_str(if func.async_ { "async func(" } else { "func(" });
        for (name, ty) in &func.params {
            w.field(name.as_str(), Some(ty));
        }
        w.text.push(')');
        if let Some(result) = &func.result {
            w.text.push_str(" -> ");
            w.value(result);
        }
        w.text
    }

    fn full(&self) -> bool {
        self.text.len() > MAX_SHAPE_CHARS
    }

    fn field(&mut self, name: &str, ty: Option<&ComponentValType>) {
        if self.full() {
            return;
        }
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{name}");
        if let Some(ty) = ty {
            self.text.push_str(": ");
            self.value(ty);
        }
        self.text.push_str(", ");
    }

    fn value(&mut self, ty: &ComponentValType) {
        if self.full() {
            return;
        }
        match ty {
            ComponentValType::Primitive(p) => {
                let _ = write!(self.text, "{p}");
            }
            ComponentValType::Type(id) => {
                if let Some(ty) = self.types.get(*id) {
                    self.defined(ty);
                }
            }
        }
    }

    fn of(&mut self, word: &str, inner: &[Option<&ComponentValType>]) {
        self.text.push_str(word);
        self.text.push('<');
        for (n, ty) in inner.iter().enumerate() {
            if n > 0 {
                self.text.push_str(", ");
            }
            match ty {
                Some(ty) => self.value(ty),
                None => self.text.push('_'),
            }
        }
        self.text.push('>');
    }

    fn defined(&mut self, ty: &ComponentDefinedType) {
        match ty {
            ComponentDefinedType::Primitive(p) => {
                let _ = write!(self.text, "{p}");
            }
            ComponentDefinedType::Record(r) => {
                self.text.push_str("record{");
                r.fields.iter().for_each(|(name, ty)| self.field(name.as_str(), Some(ty)));
                self.text.push('}');
            }
            ComponentDefinedType::Variant(v) => {
                self.text.push_str("variant{");
                v.cases.iter().for_each(|(name, case)| self.field(name.as_str(), case.ty.as_ref()));
                self.text.push('}');
            }
            ComponentDefinedType::Enum(names) => {
                self.text.push_str("enum{");
                names.iter().for_each(|name| self.field(name.as_str(), None));
                self.text.push('}');
            }
            ComponentDefinedType::List { element, .. } => self.of("list", &[Some(element)]),
            ComponentDefinedType::Option { ty, .. } => self.of("option", &[Some(ty)]),
            ComponentDefinedType::Result { ok, err, .. } => self.of("result", &[ok.as_ref(), err.as_ref()]),
            // The contract has none of the others: their word is difference enough.
            ComponentDefinedType::Tuple(_) => self.text.push_str("tuple"),
            ComponentDefinedType::Flags(_) => self.text.push_str("flags"),
            ComponentDefinedType::Map { .. } => self.text.push_str("map"),
            ComponentDefinedType::FixedLengthList { .. } => self.text.push_str("fixed-length list"),
            ComponentDefinedType::Own(_) | ComponentDefinedType::Borrow(_) => self.text.push_str("resource"),
            ComponentDefinedType::Future { .. } | ComponentDefinedType::Stream { .. } => self.text.push_str("stream"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_is_written_out() {
        let functions = newest().functions.as_ref().unwrap();
        let names: Vec<&str> = functions.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, FUNCTIONS);
        assert_eq!(functions[0].1, "func() -> string");
        assert!(functions.iter().all(|(_, shape)| shape.len() < MAX_SHAPE_CHARS));
        assert!(
            functions[2].1.contains("columns: list<record{id: u16, values: variant{u8s: list<u8>, "),
            "{}",
            functions[2].1
        );
    }
}
