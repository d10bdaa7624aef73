//! Takes commands in groups until the database is closed.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::command::{Command, QUEUE, WriterHandle};
use super::transaction::Transactions;
use super::work::Group;
use crate::persistence::info::Capabilities;
use crate::persistence::pools::Pools;

/// Most commands of one transaction: enough to share its price, few enough to answer the first ones soon.
const GROUP: usize = 256;

/// A group of this many says that many callers are at work at once.
const BUSY: usize = 3;
/// A group of this many is worth a transaction without waiting for more.
const WORTHWHILE: usize = 24;
/// How long a small group waits for company under load. Never without load: a single caller waits for nothing.
const GATHER: Duration = Duration::from_millis(1);

/// Starts the writer on the current runtime. It ends after [`Command::Close`], or when all handles are gone.
pub(in crate::persistence) fn start(pools: &Pools, capabilities: Capabilities, retries: u32) -> (WriterHandle, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let task = tokio::spawn(run(Transactions::new(pools, capabilities, retries), receiver));
    (WriterHandle::new(sender), task)
}

async fn run(mut transactions: Transactions, mut commands: mpsc::Receiver<Command>) {
    let mut taken = Vec::with_capacity(GROUP);
    let mut last = 0;
    while commands.recv_many(&mut taken, GROUP).await > 0 {
        if last >= BUSY && taken.len() < WORTHWHILE && !taken.iter().any(Command::is_close) {
            // Under load the next commands are a moment away; together they cost little more than these alone.
            tokio::time::sleep(GATHER).await;
            while taken.len() < GROUP
                && let Ok(command) = commands.try_recv()
            {
                taken.push(command);
            }
        }
        last = taken.len();
        let group = Group::of(taken.drain(..));
        if group.is_last {
            // From here on senders are refused; what has been sent is still done.
            commands.close();
        }
        if group.len() > 0 {
            do_group(&mut transactions, group).await;
        }
    }
}

async fn do_group(transactions: &mut Transactions, group: Group) {
    if group.len() == 1 {
        do_each(transactions, [group]).await;
        return;
    }
    match transactions.together(&group.work).await {
        Ok(outcome) => group.answer(outcome),
        Err(failure) if failure.is_general => group.fail(&failure.error),
        Err(failure) => {
            tracing::debug!(error = %failure.error, commands = group.len(), "a group of commands is done one by one");
            do_each(transactions, group.split()).await;
        }
    }
}

/// One transaction each. When one could not begin, the others are not tried.
async fn do_each(transactions: &mut Transactions, groups: impl IntoIterator<Item = Group>) {
    let mut groups = groups.into_iter();
    while let Some(group) = groups.next() {
        match transactions.alone(&group.work).await {
            Ok(outcome) => group.answer(outcome),
            Err(failure) if failure.is_general => {
                group.fail(&failure.error);
                groups.by_ref().for_each(|rest| rest.fail(&failure.error));
            }
            Err(failure) => group.fail_with(failure.error),
        }
    }
}
