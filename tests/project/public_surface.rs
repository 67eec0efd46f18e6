//! The public surface, read from the sources: everything a user can name is listed in golden/public_surface.txt, so that it
//! changes on purpose. `HAUL_BLESS=1 cargo test --test project public_surface` writes the list anew.
//!
//! Left out: modules marked `#[doc(hidden)]`, which carry no promise, and implementations of traits.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Fields, ImplItem, Item, ItemEnum, ItemImpl, Meta, TraitItem, Type, UseTree, Visibility};

#[test]
fn the_public_surface_is_as_listed() {
    let source = Source::read();
    let mut listed = String::new();
    for (path, kind) in Surface::of(&source).names {
        listed += &format!("{kind} {path}\n");
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/public_surface.txt");
    if std::env::var_os("HAUL_BLESS").is_some() {
        fs::write(&golden, &listed).expect("writable");
    }
    let committed = fs::read_to_string(&golden).expect("the list is there");
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (is, was) = (lines(&listed), lines(&committed));
    let added: Vec<_> = is.difference(&was).collect();
    let removed: Vec<_> = was.difference(&is).collect();
    assert!(
        committed == listed,
        "the public surface has changed; if that is meant, run HAUL_BLESS=1 cargo test --test project public_surface\n\
         added: {added:#?}\nremoved: {removed:#?}"
    );
}

#[test]
fn nothing_public_speaks_of_what_is_not() {
    let source = Source::read();
    let surface = Surface::of(&source);
    let mut unnamed = BTreeSet::new();
    for &(module, ref name) in &surface.items {
        let mut speech = Speech { source: &source, module, heard: BTreeSet::new() };
        speech.listen_to(name);
        for item in speech.heard.difference(&surface.items) {
            unnamed.insert(format!("{} speaks of {}", source.path(module, name), source.path(item.0, &item.1)));
        }
    }
    assert!(unnamed.is_empty(), "give these a public path: {unnamed:#?}");
}

/// An item: its module's number and its name.
type Place = (usize, String);

/// The modules of the crates that users see, haul's root first.
struct Source {
    modules: Vec<Module>,
    /// The root of each crate that is not haul.
    crates: HashMap<&'static str, usize>,
}

struct Module {
    path: String,
    parent: usize,
    items: Vec<Item>,
    children: HashMap<String, usize>,
}

/// What a path leads to.
enum Target {
    Module(usize),
    Item(Place),
    /// Not of this crate, or nothing.
    Foreign,
}

impl Source {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut source = Self { modules: Vec::new(), crates: HashMap::new() };
        source.add_crate("haul", &root.join("src"));
        for (name, folder) in [("haul_core", "crates/haul-core/src"), ("haul_net", "crates/haul-net/src")] {
            let number = source.add_crate(name, &root.join(folder));
            source.crates.insert(name, number);
        }
        source
    }

    fn add_crate(&mut self, name: &str, folder: &Path) -> usize {
        self.add(name, self.modules.len(), &folder.join("lib.rs"), folder)
    }

    /// The root of the crate that a module is in, which is its own parent.
    fn root(&self, module: usize) -> usize {
        let parent = self.modules[module].parent;
        if parent == module { module } else { self.root(parent) }
    }

    /// Adds the module in `file`, whose children's files are in `folder`.
    fn add(&mut self, path: &str, parent: usize, file: &Path, folder: &Path) -> usize {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let items = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display())).items;
        let names: Vec<String> = items.iter().filter_map(child).collect();
        let number = self.modules.len();
        let items = items.into_iter().filter(|item| !is_for_tests(item)).map(expanded).collect();
        self.modules.push(Module { path: path.to_owned(), parent, items, children: HashMap::new() });
        for name in names {
            let own = folder.join(&name);
            let file =
                Some(own.join("mod.rs")).filter(|file| file.exists()).unwrap_or_else(|| own.with_extension("rs"));
            let child = self.add(&format!("{path}::{name}"), number, &file, &own);
            self.modules[number].children.insert(name, child);
        }
        number
    }

    fn path(&self, module: usize, name: &str) -> String {
        format!("{}::{name}", self.modules[module].path)
    }

    fn item(&self, (module, name): &Place) -> &Item {
        let named = |item: &&Item| name_of(item).is_some_and(|other| other == *name);
        self.modules[*module].items.iter().find(named).expect("places are of items")
    }

    /// Where `path` leads when it is said in `module`.
    fn resolve(&self, module: usize, path: &[String]) -> Target {
        let Some((first, rest)) = path.split_first() else { return Target::Module(module) };
        let next = match &**first {
            "crate" => Target::Module(self.root(module)),
            "self" => Target::Module(module),
            "super" => Target::Module(self.modules[module].parent),
            name => self.crates.get(name).map_or_else(|| self.look_up(module, name), |root| Target::Module(*root)),
        };
        match next {
            Target::Module(next) => self.resolve(next, rest),
            other => other,
        }
    }

    fn look_up(&self, module: usize, name: &str) -> Target {
        let here = &self.modules[module];
        if let Some(child) = here.children.get(name) {
            return Target::Module(*child);
        }
        if here.items.iter().any(|item| name_of(item).is_some_and(|other| other == name)) {
            return Target::Item((module, name.to_owned()));
        }
        let uses = here.items.iter().flat_map(uses).find(|(alias, path)| alias == name && path[0] != name);
        uses.map_or(Target::Foreign, |(_, path)| self.resolve(module, &path))
    }

    /// The implementations for an item, each with the module it stands in.
    fn impls(&self, place: &Place) -> impl Iterator<Item = (usize, &ItemImpl)> {
        let all = self.modules.iter().enumerate().flat_map(|(number, module)| {
            module.items.iter().filter_map(move |item| match item {
                Item::Impl(item) => Some((number, item)),
                _ => None,
            })
        });
        all.filter(move |(module, item)| match &*item.self_ty {
            Type::Path(of) => matches!(self.resolve(*module, &segments(&of.path)), Target::Item(at) if at == *place),
            _ => false,
        })
    }
}

/// What can be named from outside.
struct Surface<'a> {
    source: &'a Source,
    /// Kind by path.
    names: BTreeMap<String, &'static str>,
    items: BTreeSet<Place>,
}

impl<'a> Surface<'a> {
    fn of(source: &'a Source) -> Self {
        let mut surface = Self { source, names: BTreeMap::new(), items: BTreeSet::new() };
        surface.add_module(0, "haul");
        surface
    }

    fn add_module(&mut self, module: usize, path: &str) {
        let source = self.source;
        self.names.insert(path.to_owned(), "mod");
        for item in source.modules[module].items.iter().filter(|item| is_public(item)) {
            if matches!(item, Item::Use(_)) {
                for (alias, target) in uses(item) {
                    let target = source.resolve(module, &target);
                    self.add(target, &format!("{path}::{alias}"));
                }
            } else if let Some(name) = name_of(item) {
                self.add(source.look_up(module, &name), &format!("{path}::{name}"));
            }
        }
    }

    fn add(&mut self, target: Target, path: &str) {
        match target {
            Target::Module(module) => self.add_module(module, path),
            Target::Item(place) => self.add_item(place, path),
            Target::Foreign => drop(self.names.insert(path.to_owned(), "use")),
        }
    }

    fn add_item(&mut self, place: Place, path: &str) {
        let item = self.source.item(&place);
        self.names.insert(path.to_owned(), kind(item));
        for (name, kind) in own_parts(item) {
            self.names.insert(format!("{path}::{name}"), kind);
        }
        for (_, implementation) in self.source.impls(&place).filter(|(_, item)| item.trait_.is_none()) {
            for (name, kind) in implementation.items.iter().filter_map(public_part) {
                self.names.insert(format!("{path}::{name}"), kind);
            }
        }
        self.items.insert(place);
    }
}

/// The crate's own types and traits that the public parts of an item speak of.
struct Speech<'a> {
    source: &'a Source,
    module: usize,
    heard: BTreeSet<Place>,
}

impl Speech<'_> {
    fn listen_to(&mut self, name: &str) {
        let source = self.source;
        let place = (self.module, name.to_owned());
        match source.item(&place) {
            Item::Struct(item) => {
                self.visit_generics(&item.generics);
                item.fields.iter().filter(|field| is_pub(&field.vis)).for_each(|field| self.visit_type(&field.ty));
            }
            Item::Fn(item) => self.visit_signature(&item.sig),
            Item::Const(item) => self.visit_type(&item.ty),
            Item::Trait(item) => self.visit_item_trait(item),
            other => self.visit_item(other),
        }
        for (module, item) in source.impls(&place) {
            self.module = module;
            self.visit_generics(&item.generics);
            item.items.iter().for_each(|part| match part {
                ImplItem::Fn(part) if is_pub(&part.vis) && !is_hidden(&part.attrs) => self.visit_signature(&part.sig),
                ImplItem::Const(part) if is_pub(&part.vis) => self.visit_type(&part.ty),
                ImplItem::Type(part) => self.visit_type(&part.ty),
                _ => {}
            });
        }
    }
}

impl<'a> Visit<'a> for Speech<'a> {
    fn visit_path(&mut self, path: &'a syn::Path) {
        let source = self.source;
        if let Target::Item(place) = source.resolve(self.module, &segments(path)) {
            match source.item(&place) {
                // A private alias is no more than what it stands for.
                Item::Type(alias) if !is_pub(&alias.vis) => {
                    let within = std::mem::replace(&mut self.module, place.0);
                    self.visit_type(&alias.ty);
                    self.module = within;
                }
                _ => drop(self.heard.insert(place)),
            }
        }
        visit::visit_path(self, path);
    }

    /// What a function does is its own affair.
    fn visit_block(&mut self, _: &'a syn::Block) {}

    fn visit_attribute(&mut self, _: &'a Attribute) {}
}

/// The name of a module in a file of its own.
fn child(item: &Item) -> Option<String> {
    match item {
        Item::Mod(item) if item.content.is_none() => Some(item.ident.to_string()),
        _ => None,
    }
    .filter(|_| !is_for_tests(item))
}

/// The macro `named!` makes an enum out of what looks like one.
fn expanded(item: Item) -> Item {
    match item {
        Item::Macro(call) if call.mac.path.is_ident("named") => {
            Item::Enum(syn::parse2::<ItemEnum>(call.mac.tokens).expect("named! holds an enum"))
        }
        other => other,
    }
}

fn name_of(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Mod(item) => item.ident.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}

const fn kind(item: &Item) -> &'static str {
    match item {
        Item::Const(_) => "const",
        Item::Enum(_) => "enum",
        Item::Fn(_) => "fn",
        Item::Macro(_) => "macro",
        Item::Static(_) => "static",
        Item::Struct(_) => "struct",
        Item::Trait(_) => "trait",
        Item::Type(_) => "type",
        _ => "item",
    }
}

/// Public fields, variants, a trait's methods.
fn own_parts(item: &Item) -> Vec<(String, &'static str)> {
    match item {
        Item::Struct(item) => {
            let name = |(at, field): (usize, &syn::Field)| match &field.ident {
                Some(name) => (name.to_string(), "field"),
                None => (at.to_string(), "field"),
            };
            let public = |(_, field): &(usize, &syn::Field)| is_pub(&field.vis);
            item.fields.iter().enumerate().filter(public).map(name).collect()
        }
        Item::Enum(item) => item.variants.iter().flat_map(variant).chain(of_named(item)).collect(),
        Item::Trait(item) => item.items.iter().filter_map(trait_part).collect(),
        _ => Vec::new(),
    }
}

fn variant(variant: &syn::Variant) -> Vec<(String, &'static str)> {
    let mut parts = vec![(variant.ident.to_string(), "variant")];
    if let Fields::Named(fields) = &variant.fields {
        let names = fields.named.iter().filter_map(|field| field.ident.as_ref());
        parts.extend(names.map(|name| (format!("{}::{name}", variant.ident), "field")));
    }
    parts
}

/// What `named!` adds to its enums, which can be told by the texts behind their variants.
fn of_named(item: &ItemEnum) -> Vec<(String, &'static str)> {
    let is_named = item.variants.iter().any(|variant| {
        let text = variant.discriminant.as_ref().map(|(_, text)| text);
        matches!(text, Some(syn::Expr::Lit(text)) if matches!(text.lit, syn::Lit::Str(_)))
    });
    if is_named { vec![("ALL".to_owned(), "const"), ("name".to_owned(), "fn")] } else { Vec::new() }
}

fn trait_part(part: &TraitItem) -> Option<(String, &'static str)> {
    match part {
        TraitItem::Fn(part) => Some((part.sig.ident.to_string(), "fn")),
        TraitItem::Type(part) => Some((part.ident.to_string(), "type")),
        TraitItem::Const(part) => Some((part.ident.to_string(), "const")),
        _ => None,
    }
}

fn public_part(part: &ImplItem) -> Option<(String, &'static str)> {
    match part {
        ImplItem::Fn(part) if is_pub(&part.vis) && !is_hidden(&part.attrs) => Some((part.sig.ident.to_string(), "fn")),
        ImplItem::Const(part) if is_pub(&part.vis) => Some((part.ident.to_string(), "const")),
        _ => None,
    }
}

/// What a `use` brings: each name and the path it stands for.
fn uses(item: &Item) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    if let Item::Use(item) = item {
        flatten(&item.tree, &mut Vec::new(), &mut found);
    }
    found
}

fn flatten(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<(String, Vec<String>)>) {
    let mut end = |name: &syn::Ident, alias: &syn::Ident| {
        let mut path = path.clone();
        let alias = if alias == "self" { path.last().cloned().unwrap_or_default() } else { alias.to_string() };
        if name != "self" {
            path.push(name.to_string());
        }
        found.push((alias, path));
    };
    match tree {
        UseTree::Name(leaf) => end(&leaf.ident, &leaf.ident),
        UseTree::Rename(leaf) => end(&leaf.ident, &leaf.rename),
        UseTree::Path(part) => {
            path.push(part.ident.to_string());
            flatten(&part.tree, path, found);
            path.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, path, found)),
        UseTree::Glob(_) => panic!("name what is used: a star hides what is public ({})", path.join("::")),
    }
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

const fn is_pub(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Public, and not hidden from the documentation.
fn is_public(item: &Item) -> bool {
    let (visibility, attributes) = match item {
        Item::Const(item) => (&item.vis, &item.attrs),
        Item::Enum(item) => (&item.vis, &item.attrs),
        Item::Fn(item) => (&item.vis, &item.attrs),
        Item::Mod(item) => (&item.vis, &item.attrs),
        Item::Static(item) => (&item.vis, &item.attrs),
        Item::Struct(item) => (&item.vis, &item.attrs),
        Item::Trait(item) => (&item.vis, &item.attrs),
        Item::Type(item) => (&item.vis, &item.attrs),
        Item::Use(item) => (&item.vis, &item.attrs),
        _ => return false,
    };
    is_pub(visibility) && !is_hidden(attributes)
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| says(attribute, "doc", "hidden"))
}

/// Compiled for tests alone.
fn is_for_tests(item: &Item) -> bool {
    let attributes = match item {
        Item::Mod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| says(attribute, "cfg", "test") || says(attribute, "cfg", "all"))
}

/// Whether it is `#[name(first …)]`.
fn says(attribute: &Attribute, name: &str, first: &str) -> bool {
    match &attribute.meta {
        Meta::List(list) if list.path.is_ident(name) => {
            list.tokens.clone().into_iter().next().is_some_and(|token| token.to_string() == first)
        }
        _ => false,
    }
}
