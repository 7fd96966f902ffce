//! Tasks and sets of them.

macro_rules! names {
    ($runtime:ident) => {
        #[allow(dead_code, reason = "it is compiled, not run")]
        mod $runtime {
            use std::any::Any;
            use std::cell::RefCell;
            use std::error::Error;
            use std::fmt::{Debug, Display};
            use std::future::{Ready, ready};
            use std::hash::Hash;
            use std::io;
            use std::panic::{RefUnwindSafe, UnwindSafe};
            use std::pin::Pin;
            use std::task::{Context, Poll};

            use $runtime::runtime::Handle;
            use $runtime::task::futures::TaskLocalFuture;
            use $runtime::task::{self, AbortHandle, Id, JoinError, JoinHandle, JoinSet, LocalKey};

            $runtime::task_local! {
                static KEY: String;
            }

            type Joined = Result<u8, JoinError>;
            type JoinedWithId = Result<(Id, u8), JoinError>;
            type NotUnwindSafe = RefCell<Box<dyn Any + Send>>;

            implements! {
                JoinHandle<u8>: [Future<Output = Joined> + Send + Sync + Unpin + Debug];
                JoinHandle<NotUnwindSafe>: [Send + Sync + Unpin + UnwindSafe + RefUnwindSafe];
                AbortHandle: [Send + Sync + Unpin + Clone + Debug + UnwindSafe + RefUnwindSafe];
                JoinError: [Error + Debug + Display + Send + Sync + Into<io::Error>];
                JoinSet<u8>: [Send + Sync + Unpin + Debug + Default + Extend<Ready<u8>> + FromIterator<Ready<u8>>];
                Id: [Copy + Debug + Display + Eq + Ord + Hash + Send + Sync];
                LocalKey<u8>: [Debug + Send + Sync];
                TaskLocalFuture<u8, Ready<u8>>: [Future<Output = u8> + Send + Sync];
            }

            fn join_handle(handle: &JoinHandle<u8>, abort: &AbortHandle) {
                let _: AbortHandle = handle.abort_handle();
                let (): () = handle.abort();
                let _: bool = handle.is_finished();
                let _: Id = handle.id();
                let (): () = abort.abort();
                let _: bool = abort.is_finished();
                let _: Id = abort.id();
            }

            fn join_error(error: JoinError, other: JoinError) {
                let _: bool = error.is_cancelled();
                let _: bool = error.is_panic();
                let _: Id = error.id();
                let _: Box<dyn Any + Send> = error.into_panic();
                let _: Result<Box<dyn Any + Send>, JoinError> = other.try_into_panic();
            }

            async fn join_set(mut set: JoinSet<u8>, cx: &mut Context<'_>, handle: &Handle) {
                let _: JoinSet<u8> = JoinSet::new();
                let _: usize = set.len();
                let _: bool = set.is_empty();
                let _: AbortHandle = set.spawn(ready(1));
                let _: AbortHandle = set.spawn_on(ready(1), handle);
                let _: AbortHandle = set.spawn_local(ready(1));
                let _: AbortHandle = set.spawn_blocking(|| 1);
                let _: AbortHandle = set.spawn_blocking_on(|| 1, handle);
                let _: Option<Joined> = set.join_next().await;
                let _: Option<JoinedWithId> = set.join_next_with_id().await;
                let _: Option<Joined> = set.try_join_next();
                let _: Option<JoinedWithId> = set.try_join_next_with_id();
                let _: Poll<Option<Joined>> = set.poll_join_next(cx);
                let _: Poll<Option<JoinedWithId>> = set.poll_join_next_with_id(cx);
                set.abort_all();
                set.detach_all();
                set.shutdown().await;
                let _: Vec<u8> = set.join_all().await;
            }

            async fn functions() {
                let _: JoinHandle<u8> = $runtime::spawn(ready(1));
                let _: JoinHandle<u8> = task::spawn(ready(1));
                let _: JoinHandle<u8> = task::spawn_blocking(|| 1);
                let _: JoinHandle<u8> = task::spawn_local(ready(1));
                let _: u8 = task::block_in_place(|| 1);
                let _: Id = task::id();
                let _: Option<Id> = task::try_id();
                task::yield_now().await;
                task::consume_budget().await;
            }

            async fn budget(cx: &mut Context<'_>) {
                let _: bool = task::coop::has_budget_remaining();
                let _: u8 = task::coop::unconstrained(ready(1)).await;
                let _: u8 = task::coop::cooperative(ready(1)).await;
                if let Poll::Ready(unit) = task::coop::poll_proceed(cx) {
                    unit.made_progress();
                }
                let _: u8 = task::unconstrained(ready(1)).await;
            }

            async fn task_local(mut scope: Pin<&mut TaskLocalFuture<String, Ready<u8>>>) {
                let _: TaskLocalFuture<String, Ready<u8>> = KEY.scope(String::new(), ready(1));
                let _: u8 = KEY.sync_scope(String::new(), || 1);
                let _: usize = KEY.with(|value| value.len());
                let _: Option<usize> = KEY.try_with(|value| value.len()).ok();
                let _: String = KEY.get();
                let _: Option<String> = KEY.try_get().ok();
                let _: Option<String> = scope.as_mut().take_value();
            }
        }
    };
}

names!(shopfloor);
names!(tokio);
