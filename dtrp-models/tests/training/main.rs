//! Training compared with oracles: what every method must compute, whoever executes it, on a small network.

mod averages;
mod delayed;
mod exported;
mod hand;
mod lasting;
mod losses;
mod methods;
mod oracle;
mod rates;
mod reference;
mod resumed;
mod run;
