//! The command, as its users run it: one file each for what it is asked to do.

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
