{
  description = "Jürgen Schmidhuber's experiments, 1989-2022, in pure numpy";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      forAll = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      devShells = forAll (pkgs: {
        default = pkgs.mkShell {
          packages = [
            (pkgs.python3.withPackages (ps: [
              ps.numpy
              ps.matplotlib
              ps.pillow
              ps.tabulate
              ps.tqdm
              ps.pytest
              ps.pytest-xdist
            ]))
            pkgs.gnumake
            pkgs.ruff
          ];
          OPENBLAS_NUM_THREADS = "1"; # small matrices are fastest on one thread
        };
      });
    };
}
