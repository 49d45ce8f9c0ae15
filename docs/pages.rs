//! The book's pages as documentation, so that `cargo test` compiles and runs their code.
#![forbid(unsafe_code)]

macro_rules! pages {
    ($($name:ident: $file:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!($file)]
            mod $name {}
        )*
    };
}

pages! {
    getting_started: "src/getting-started.md",
    from_elixir: "src/from-elixir.md",
    processes: "src/processes.md",
    gen_server: "src/gen-server.md",
    gen_statem: "src/gen-statem.md",
    events: "src/events.md",
    supervision: "src/supervision.md",
    tasks: "src/tasks.md",
    agent: "src/agent.md",
    registry: "src/registry.md",
    applications: "src/applications.md",
    net: "src/net.md",
    tokio: "src/tokio.md",
    simulation: "src/simulation.md",
    introspection: "src/introspection.md",
}
