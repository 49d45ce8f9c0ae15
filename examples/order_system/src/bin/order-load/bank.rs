//! The bank, as a process of this program: what happens to the shop does not happen to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use order_system::bank::server::router;
use regrow::spawn_link;
use tokio::net::TcpListener;

use crate::Trouble;
use crate::options::Chance;

/// Opens the bank, and says its address. Of 100 answers it loses so many.
pub(crate) async fn open(books: PathBuf, faults: u32) -> Result<String, Trouble> {
    let asked = AtomicU64::new(0);
    let loses_answer = move || {
        let mut chance = Chance::new(asked.fetch_add(1, Ordering::Relaxed));
        chance.below(100) < u64::from(faults)
    };
    let router = router(&books, Arc::new(loses_answer))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    spawn_link(async move { axum::serve(listener, router).await });
    Ok(format!("http://{address}"))
}
