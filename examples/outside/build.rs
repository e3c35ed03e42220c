fn main() {
    dtrp_build::link_libtorch();
}
