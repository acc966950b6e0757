//! The real binary in a process of its own: commands that end, and servers that are killed.
//! Always true: a process sees no setting of the caller's environment; what it printed is kept, and is shown when it
//! disappoints; a server ends with its handle. Not here: the server inside this process (`app.rs`).

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::client::Client;
use super::database::TestDatabase;
use super::poll;

/// A sandbox is filled before its first answer, by an unoptimised binary beside other tests.
const START_PATIENCE: Duration = Duration::from_secs(180);

/// How the binary is started: on which database, with which settings.
#[derive(Debug, Clone)]
pub struct Binary {
    folder: PathBuf,
    settings: Vec<(String, String)>,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed for its caller.
    pub stdout: String,
    /// What it told on the side: progress, logs, complaints.
    pub stderr: String,
}

impl Ended {
    /// Asserts the exit code, and hands the rest on.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// The printed JSON of a command that succeeded.
    #[track_caller]
    pub fn json(self) -> Value {
        let ended = self.expect_code(0);
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:#?}"))
    }
}

impl Binary {
    /// The binary on a test's database, its data folder in the test's folder.
    pub fn on(database: &TestDatabase) -> Self {
        Self::in_folder(database.folder.path()).with("OCTOPUS_DATABASE_URL", &database.url)
    }

    /// The binary with nothing set but a data folder.
    pub fn in_folder(folder: &Path) -> Self {
        let data = folder.join("var");
        Self { folder: folder.to_owned(), settings: Vec::new() }
            .with("OCTOPUS_DATA_DIR", &data.display().to_string())
            .with("OCTOPUS_SEED_DIR", concat!(env!("CARGO_MANIFEST_DIR"), "/data"))
    }

    /// With one more setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With one more setting, unless it has it.
    fn with_default(self, name: &str, value: &str) -> Self {
        if self.settings.iter().any(|(known, _)| known == name) { self } else { self.with(name, value) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_octopus"));
        command.args(arguments).current_dir(&self.folder).env_clear().stdin(Stdio::null());
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("nothing cancels it");
        let output = output.expect("the binary starts");
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts a worker of its own.
    pub fn work(&self) -> Process {
        let logs = (0_u32..).map(|number| self.folder.join(format!("work-{number}.log")));
        let log = logs.into_iter().find(|path| !path.exists()).expect("numbers do not end");
        let file = File::create(&log).expect("the folder is ours");
        let mut command = self.command(&["work"]);
        command.stdout(file.try_clone().expect("a file can be shared")).stderr(file);
        let child = command.spawn().expect("the binary starts");
        Process { child, client: Client::new("http://127.0.0.1:1"), log }
    }

    /// Starts a server that is to refuse, and waits until it has ended.
    ///
    /// # Panics
    /// If it serves instead.
    pub async fn refuse_to_serve(&self) -> Ended {
        let log = self.folder.join("refused.log");
        let file = File::create(&log).expect("the folder is ours");
        let child = self
            .command(&["serve"])
            .env("OCTOPUS_LISTEN", "127.0.0.1:0")
            .stdout(file.try_clone().expect("a file can be shared"))
            .stderr(file)
            .spawn()
            .expect("the binary starts");
        let mut process = Process { child, client: Client::new("http://127.0.0.1:1"), log };
        let status = poll::until("the server refuses", async || process.exited()).await;
        Ended { code: status.code(), stdout: String::new(), stderr: process.log() }
    }

    /// Starts the sandbox vendor on a spare port, and waits until it has told where it listens; what it told comes with it.
    pub async fn sell(&self, arguments: &[&str]) -> (Process, Value) {
        let logs = (0_u32..).map(|number| self.folder.join(format!("vendor-{number}.log")));
        let log = logs.into_iter().find(|path| !path.exists()).expect("numbers do not end");
        let file = File::create(&log).expect("the folder is ours");
        let words = [&["vendor-sim", "--json", "--address", "127.0.0.1:0"], arguments].concat();
        let mut command = self.command(&words);
        command.stdout(file.try_clone().expect("a file can be shared")).stderr(file);
        let child = command.spawn().expect("the binary starts");
        let mut process = Process { child, client: Client::new("http://127.0.0.1:1"), log };
        let told: Value = poll::until("the vendor tells where it listens", async || {
            assert!(process.exited().is_none(), "the vendor ended at its start: {}", process.log());
            serde_json::from_str(process.log().lines().next()?).ok()
        })
        .await;
        process.client = Client::new(told["url"].as_str().expect("it tells its address"));
        (process, told)
    }

    /// Starts a server on a spare port and waits until it is ready.
    pub async fn serve(&self) -> Process {
        // The port may be taken between the choice and the start, if rarely; then the next one is tried.
        for _ in 0..5 {
            let spare = TcpListener::bind("127.0.0.1:0").expect("a spare port").local_addr();
            if let Some(process) = self.try_serve(spare.expect("it is bound")).await {
                return process;
            }
        }
        panic!("no server became ready in {}", self.folder.display());
    }

    /// Starts a server at an address that others know already, and waits until it is ready.
    pub async fn serve_at(&self, address: SocketAddr) -> Process {
        self.try_serve(address).await.expect("the address is free")
    }

    /// Starts a server on a spare port, and waits until it is ready or has ended: some are to die at their start.
    pub async fn start(&self) -> Process {
        let spare = TcpListener::bind("127.0.0.1:0").expect("a spare port").local_addr();
        self.start_at(spare.expect("it is bound")).await
    }

    async fn try_serve(&self, spare: SocketAddr) -> Option<Process> {
        let mut process = self.start_at(spare).await;
        if process.exited().is_none() {
            return Some(process);
        }
        let log = process.log();
        assert!(log.contains("in use"), "the server ended at its start: {log}");
        None
    }

    async fn start_at(&self, spare: SocketAddr) -> Process {
        let log = self.folder.join(format!("serve-{}.log", spare.port()));
        let file = File::create(&log).expect("the folder is ours");
        let child = self
            .clone()
            .with_default("OCTOPUS_PUBLIC_URL", &format!("http://{spare}"))
            .command(&["serve"])
            .env("OCTOPUS_LISTEN", spare.to_string())
            .stdout(file.try_clone().expect("a file can be shared"))
            .stderr(file)
            .spawn()
            .expect("the binary starts");
        let mut process = Process { child, client: Client::new(format!("http://{spare}")), log };
        poll::until_within(START_PATIENCE, "the server is ready, or has ended", async || {
            let ended = process.exited().is_some();
            (ended || process.is_ready().await).then_some(())
        })
        .await;
        process
    }
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// A caller of this server.
    pub client: Client,
    log: PathBuf,
}

impl Process {
    async fn is_ready(&self) -> bool {
        let answer = self.client.request(Method::GET, "/readyz").timeout(Duration::from_secs(2)).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// How it ended; `None` while it runs.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGKILL: it gets no chance to finish anything. Waits until it is gone.
    pub fn kill(&mut self) {
        // It may have ended by itself, which is as dead.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal, such as `TERM`, `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent =
            Command::new("kill").args([&format!("-{name}"), &id]).status().expect("there is a kill command");
        assert!(sent.success(), "it had ended: {}", self.log());
    }

    /// SIGTERM, and waits: the exit code of a graceful stop.
    pub async fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        poll::until("the server stops", async || self.exited()).await.code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
