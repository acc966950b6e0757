//! A bulk order of 1,000 units, watched by the npm client graphql-ws.
//! Always true: the client checks the order of events, the rest behind a cursor and the codes (`tests/judges/watch.mjs`); what
//! is told, and when, is compared here. Not here: the frames of the protocol (`ws.rs`).

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::support::app::TestApp;
use crate::support::catalog::{STEAM_50, stock_csv};
use crate::support::poll::PATIENCE;

/// A client at work: what it prints comes line by line.
struct Watcher {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watcher {
    async fn begin(app: &TestApp) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges");
        assert!(folder.join("node_modules").is_dir(), "the judges are not installed: `make judges`");
        let url = app.client.url.replacen("http", "ws", 1) + "/graphql";
        let token = app.partner().await.session.token;
        let mut child = Command::new("node")
            .args(["watch.mjs", &url, &token, STEAM_50, "1000"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let lines = BufReader::new(child.stdout.take().expect("its output is ours")).lines();
        Self { child, lines }
    }

    async fn expect(&mut self, expected: &str) {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("it says something in time");
        assert_eq!(line.expect("it is text").as_deref(), Some(expected));
    }

    async fn end(mut self) {
        self.expect("watched to its end").await;
        assert!(self.child.wait().await.expect("it ends").success());
    }
}

both_databases! {
    async fn a_bulk_order_is_watched_while_its_codes_arrive(app: SmallCatalog) {
        // With the 200 that are there: 600.
        app.load_stock(&stock_csv(STEAM_50, "50", 10_000, 400)).await;
        let mut watcher = Watcher::begin(&app).await;
        watcher.expect("order.created PENDING 0").await;
        watcher.expect("order.processing PROCESSING 600").await;
        app.load_stock(&stock_csv(STEAM_50, "50", 20_000, 1)).await;
        watcher.expect("order.progressed PROCESSING 601").await;
        app.load_stock(&stock_csv(STEAM_50, "50", 30_000, 149)).await;
        watcher.expect("order.progressed PROCESSING 750").await;
        app.load_stock(&stock_csv(STEAM_50, "50", 40_000, 250)).await;
        watcher.expect("order.delivered DELIVERED 1000").await;
        watcher.end().await;
        assert_eq!(app.database.number("SELECT count(*) FROM vouchers WHERE state = 'DELIVERED'").await, 1_000);
        let held = "SELECT sum(amount) FROM postings WHERE account = 'WALLET_HELD'";
        assert_eq!(app.database.number(held).await, 0);
    }

    async fn a_bulk_order_from_stock_is_replayed_from_its_first_event(app: SmallCatalog) {
        app.load_stock(&stock_csv(STEAM_50, "50", 10_000, 1_000)).await;
        let mut watcher = Watcher::begin(&app).await;
        watcher.expect("order.created PENDING 0").await;
        watcher.expect("order.delivered DELIVERED 1000").await;
        watcher.end().await;
    }
}
