//! The shop under load: its process, its folder, its end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use regrow::{blocking, sleep};
use rustix::process::{Pid, Signal, kill_process};

use crate::Trouble;
use crate::options::Options;

/// How long the shop may take to say where it listens.
const START: Duration = Duration::from_secs(30);
/// How long it may take to end when it is told to.
const STOP: Duration = Duration::from_secs(30);

/// An empty folder, removed in the end.
pub(crate) struct Folder {
    path: PathBuf,
    is_ours: bool,
}

impl Folder {
    pub(crate) fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("order-load-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Folder {
            path,
            is_ours: true,
        })
    }

    /// The same folder for somebody else, who does not remove it.
    pub(crate) fn at(path: PathBuf) -> Self {
        Folder {
            path,
            is_ours: false,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Leaves it where it is.
    pub(crate) fn keep(&mut self) -> &Path {
        self.is_ours = false;
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// A running shop; killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    pub(crate) async fn start(
        options: &Options,
        folder: &Folder,
        bank: &str,
    ) -> Result<Self, Trouble> {
        Server::launch(options, folder, bank, "127.0.0.1:0").await
    }

    /// On the same address, after the end of `before`.
    pub(crate) async fn again(
        before: Server,
        options: &Options,
        folder: &Folder,
        bank: &str,
    ) -> Result<Self, Trouble> {
        let address = before.address.to_string();
        drop(before);
        Server::launch(options, folder, bank, &address).await
    }

    async fn launch(
        options: &Options,
        folder: &Folder,
        bank: &str,
        listen: &str,
    ) -> Result<Self, Trouble> {
        let program = match &options.server {
            Some(program) => program.clone(),
            None => blocking(beside).await?,
        };
        let output = folder.file("shop.out");
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.file("shop.log"))?;
        let sync = format!("{:?}", options.sync).to_lowercase();
        let mut command = Command::new(&program);
        command
            .args(["--listen", listen, "--bank", bank, "--sync", &sync])
            .args(["--chaos-rate", &options.kills.to_string(), "--log"])
            .arg(if options.kills > 0 {
                "error,regrow=off"
            } else {
                "warn"
            })
            .arg("--database")
            .arg(folder.file("orders.db"))
            .stdin(Stdio::null())
            .stdout(File::create(&output)?)
            .stderr(log);
        // A thread that is held up by this loses its priority, and so would its child.
        let child = blocking(move || command.spawn()).await.map_err(|error| {
            let program = program.display();
            format!("cannot start {program}: {error}; build it with `cargo build --release -p order-system`")
        })?;
        // From here on it is killed if we fail.
        let mut server = Server {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let deadline = Instant::now() + START;
        loop {
            if let Some(address) = announced(&std::fs::read_to_string(&output)?) {
                server.address = address;
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                let said = std::fs::read_to_string(folder.file("shop.log"))?;
                return Err(format!("the shop ended, {status}: {said}").into());
            }
            if Instant::now() > deadline {
                return Err("the shop does not say where it listens".into());
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many of what it has killed.
    pub(crate) async fn kills(&self) -> BTreeMap<String, u64> {
        let asked = reqwest::get(format!("http://{}/chaos", self.address)).await;
        match asked {
            // Without chaos there is no such page.
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(_) => BTreeMap::new(),
        }
    }

    /// SIGKILL, and waits for the end.
    pub(crate) async fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.wait().await.map(drop)
    }

    /// SIGTERM, and what is wrong with the end.
    pub(crate) async fn terminate(&mut self) -> io::Result<Option<String>> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        Ok(match self.wait().await? {
            Some(0) => None,
            Some(code) => Some(format!("at SIGTERM the shop ended with code {code}")),
            None => Some("at SIGTERM the shop did not end in time".into()),
        })
    }

    /// The exit code, -1 for a signal; none if it did not end, and was killed.
    async fn wait(&mut self) -> io::Result<Option<i32>> {
        let deadline = Instant::now() + STOP;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status.code().unwrap_or(-1)));
            }
            if Instant::now() > deadline {
                self.child.kill()?;
                self.child.wait()?;
                return Ok(None);
            }
            sleep(Duration::from_millis(2)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The shop beside this program. `cargo run` builds only what it runs, so cargo is asked to build the
/// shop too.
fn beside() -> io::Result<PathBuf> {
    if let (Some(cargo), Some(package)) = (
        std::env::var_os("CARGO"),
        std::env::var_os("CARGO_MANIFEST_DIR"),
    ) {
        let manifest = Path::new(&package).join("Cargo.toml");
        let mut build = Command::new(cargo);
        build
            .args([
                "build",
                "--quiet",
                "--bin",
                "order-system",
                "--manifest-path",
            ])
            .arg(manifest);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let status = build.status()?;
        if !status.success() {
            return Err(io::Error::other(format!("building the shop: {status}")));
        }
    }
    Ok(std::env::current_exe()?.with_file_name("order-system"))
}

/// The address in what the shop says when it starts, if it has said all of that line.
fn announced(text: &str) -> Option<SocketAddr> {
    let (first, _) = text.split_once('\n')?;
    first.rsplit_once("http://")?.1.trim().parse().ok()
}
