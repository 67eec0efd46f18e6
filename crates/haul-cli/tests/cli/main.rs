//! The command, as its users run it: one file each for what it is asked to do.

#[path = "../../../../tests/support"]
mod support {
    pub(crate) mod answering;
    pub(crate) mod browser;
    pub(crate) mod haul;
    pub(crate) mod origin;
    pub(crate) mod python;
    pub(crate) mod record;
    #[expect(dead_code, reason = "only programs are looked for here")]
    pub(crate) mod server;
}

mod command;
mod compare;
mod demo;
mod limits;
mod load;
mod logs;
mod machine;
mod metrics;
mod origin;
mod ran;
mod report;
mod save;
mod text;
mod tools;
mod trouble;
mod view;
