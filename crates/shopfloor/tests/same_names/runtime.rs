//! Runtimes, their handles and their settings.

macro_rules! names {
    ($runtime:ident) => {
        #[allow(dead_code, reason = "it is compiled, not run")]
        mod $runtime {
            use std::error::Error;
            use std::fmt::{Debug, Display};
            use std::io;
            use std::panic::{RefUnwindSafe, UnwindSafe};
            use std::time::Duration;

            use $runtime::runtime::{
                Builder, EnterGuard, Handle, LocalRuntime, Runtime, RuntimeFlavor, TryCurrentError,
                is_rt_shutdown_err,
            };
            use $runtime::task::JoinHandle;

            implements! {
                Runtime: [Send + Sync + Unpin + Debug + UnwindSafe + RefUnwindSafe];
                LocalRuntime: [Unpin + Debug + UnwindSafe + RefUnwindSafe];
                Handle: [Send + Sync + Unpin + Clone + Debug + UnwindSafe + RefUnwindSafe];
                EnterGuard<'static>: [Debug];
                Builder: [Send + Sync + Unpin + Debug];
                RuntimeFlavor: [Debug + PartialEq + Eq];
                TryCurrentError: [Error + Debug + Display + Send + Sync];
            }

            fn runtime(runtime: Runtime, other: Runtime) -> io::Result<()> {
                let _: Runtime = Runtime::new()?;
                let _: &Handle = runtime.handle();
                let _: JoinHandle<u8> = runtime.spawn(async { 1 });
                let _: JoinHandle<u8> = runtime.spawn_blocking(|| 1);
                let _: u8 = runtime.block_on(async { 1 });
                let _: EnterGuard<'_> = runtime.enter();
                let metrics = runtime.metrics();
                let _: usize = metrics.num_workers();
                let _: usize = metrics.num_alive_tasks();
                let _: usize = metrics.global_queue_depth();
                runtime.shutdown_timeout(Duration::ZERO);
                other.shutdown_background();
                Ok(())
            }

            fn local(runtime: LocalRuntime, other: LocalRuntime) -> io::Result<()> {
                let _: LocalRuntime = LocalRuntime::new()?;
                let _: &Handle = runtime.handle();
                let _: JoinHandle<u8> = runtime.spawn_local(async { 1 });
                let _: JoinHandle<u8> = runtime.spawn_blocking(|| 1);
                let _: u8 = runtime.block_on(async { 1 });
                let _: EnterGuard<'_> = runtime.enter();
                let _: usize = runtime.metrics().num_alive_tasks();
                runtime.shutdown_timeout(Duration::ZERO);
                other.shutdown_background();
                let _: fn(&io::Error) -> bool = is_rt_shutdown_err;
                Ok(())
            }

            fn handle(handle: &Handle, error: TryCurrentError) {
                let _: Handle = Handle::current();
                let _: Result<Handle, TryCurrentError> = Handle::try_current();
                let _: bool = error.is_missing_context();
                let _: bool = error.is_thread_local_destroyed();
                let _: JoinHandle<u8> = handle.spawn(async { 1 });
                let _: JoinHandle<u8> = handle.spawn_blocking(|| 1);
                let _: u8 = handle.block_on(async { 1 });
                let _: EnterGuard<'_> = handle.enter();
                let _: usize = handle.metrics().num_workers();
                match handle.runtime_flavor() {
                    RuntimeFlavor::CurrentThread | RuntimeFlavor::MultiThread => {}
                    #[allow(unreachable_patterns, reason = "the flavors of one crate may grow")]
                    _ => {}
                }
            }

            fn builder(builder: &mut Builder) -> io::Result<()> {
                let _: Builder = Builder::new_multi_thread();
                let _: Builder = Builder::new_current_thread();
                let builder: &mut Builder = builder.worker_threads(1).max_blocking_threads(1);
                let builder: &mut Builder = builder.thread_name("a").thread_name(String::new());
                let builder: &mut Builder = builder.thread_name_fn(String::new).thread_stack_size(1);
                let builder: &mut Builder = builder.thread_keep_alive(Duration::ZERO);
                let builder: &mut Builder = builder.on_thread_start(|| ()).on_thread_stop(|| ());
                let builder: &mut Builder = builder.on_thread_park(|| ()).on_thread_unpark(|| ());
                let builder: &mut Builder = builder.global_queue_interval(1).event_interval(1);
                let builder: &mut Builder = builder.enable_all().enable_io().enable_time();
                let _: Runtime = builder.build()?;
                Ok(())
            }
        }
    };
}

names!(shopfloor);
names!(tokio);
