//! What the host calls.

use alloc::string::String;
use core::cell::UnsafeCell;

use crate::event::Event;
use crate::imports;
use crate::verdict::Verdict;

struct EventBlock(UnsafeCell<Event>);

// The host writes it only between calls, and a module has one thread.
unsafe impl Sync for EventBlock {}

static EVENT: EventBlock = EventBlock(UnsafeCell::new(Event::EMPTY));

/// Where the host writes the event before each call.
#[no_mangle]
pub extern "C" fn sluice_event() -> *mut Event {
    EVENT.0.get()
}

/// Calls a hook.
#[doc(hidden)]
pub fn call(hook: fn(&Event) -> Verdict) -> i32 {
    hook(unsafe { &*EVENT.0.get() }).number()
}

/// Calls the plugin's `init`. What it says is wrong refuses the module.
#[doc(hidden)]
pub fn begin(init: fn() -> Result<(), String>) -> i32 {
    #[cfg(feature = "std")]
    log_panics();
    let reason = match init() {
        Ok(()) => return 0,
        Err(reason) => reason,
    };
    let sqlstate = "58000";
    unsafe {
        imports::error(
            sqlstate.as_ptr(),
            sqlstate.len(),
            reason.as_ptr(),
            reason.len(),
            core::ptr::null(),
            0,
        )
    };
    1
}

/// There is no standard error here: what a panic says goes to the log.
#[cfg(feature = "std")]
fn log_panics() {
    std::panic::set_hook(std::boxed::Box::new(|panic| {
        crate::effects::error(&std::string::ToString::to_string(panic));
    }));
}

/// Exports functions as hooks, by their names: `export!(on_query, on_query_end);`. Each is a
/// `fn(&Event) -> Verdict`.
///
/// Ahead of them may stand, in this order:
/// - `manifest = "../hello.yaml";`: the file, by its path from the source, becomes a part of the
///   module.
/// - `init = NAME;`: a `fn() -> Result<(), String>` that is called once, before any hook; its error
///   refuses the plugin.
#[macro_export]
macro_rules! export {
    (manifest = $path:literal; $($rest:tt)*) => {
        const _: () = {
            #[cfg_attr(target_family = "wasm", link_section = "sluice.manifest")]
            #[used]
            static MANIFEST: [u8; include_bytes!($path).len()] = *include_bytes!($path);
        };
        $crate::export!($($rest)*);
    };
    (init = $init:ident; $($hook:ident),* $(,)?) => {
        #[no_mangle]
        pub extern "C" fn sluice_init() -> i32 {
            $crate::begin($init)
        }
        $($crate::export_hook!($hook);)*
    };
    ($($hook:ident),* $(,)?) => {
        #[no_mangle]
        pub extern "C" fn sluice_init() -> i32 {
            $crate::begin(|| Ok(()))
        }
        $($crate::export_hook!($hook);)*
    };
}

/// One hook of [`export`].
#[doc(hidden)]
#[macro_export]
macro_rules! export_hook {
    (on_config_loaded) => {
        $crate::export_hook!("onConfigLoaded", on_config_loaded);
    };
    (on_new_logger) => {
        $crate::export_hook!("onNewLogger", on_new_logger);
    };
    (on_new_pool) => {
        $crate::export_hook!("onNewPool", on_new_pool);
    };
    (on_new_client) => {
        $crate::export_hook!("onNewClient", on_new_client);
    };
    (on_new_proxy) => {
        $crate::export_hook!("onNewProxy", on_new_proxy);
    };
    (on_new_server) => {
        $crate::export_hook!("onNewServer", on_new_server);
    };
    (on_signal) => {
        $crate::export_hook!("onSignal", on_signal);
    };
    (on_run) => {
        $crate::export_hook!("onRun", on_run);
    };
    (on_booting) => {
        $crate::export_hook!("onBooting", on_booting);
    };
    (on_booted) => {
        $crate::export_hook!("onBooted", on_booted);
    };
    (on_shutdown) => {
        $crate::export_hook!("onShutdown", on_shutdown);
    };
    (on_tick) => {
        $crate::export_hook!("onTick", on_tick);
    };
    (on_hook) => {
        $crate::export_hook!("onHook", on_hook);
    };
    (on_opening) => {
        $crate::export_hook!("onOpening", on_opening);
    };
    (on_opened) => {
        $crate::export_hook!("onOpened", on_opened);
    };
    (on_closing) => {
        $crate::export_hook!("onClosing", on_closing);
    };
    (on_closed) => {
        $crate::export_hook!("onClosed", on_closed);
    };
    (on_startup) => {
        $crate::export_hook!("onStartup", on_startup);
    };
    (on_authenticated) => {
        $crate::export_hook!("onAuthenticated", on_authenticated);
    };
    (on_traffic) => {
        $crate::export_hook!("onTraffic", on_traffic);
    };
    (on_traffic_from_client) => {
        $crate::export_hook!("onTrafficFromClient", on_traffic_from_client);
    };
    (on_traffic_to_server) => {
        $crate::export_hook!("onTrafficToServer", on_traffic_to_server);
    };
    (on_traffic_from_server) => {
        $crate::export_hook!("onTrafficFromServer", on_traffic_from_server);
    };
    (on_traffic_to_client) => {
        $crate::export_hook!("onTrafficToClient", on_traffic_to_client);
    };
    (on_query) => {
        $crate::export_hook!("onQuery", on_query);
    };
    (on_row) => {
        $crate::export_hook!("onRow", on_row);
    };
    (on_error) => {
        $crate::export_hook!("onError", on_error);
    };
    (on_query_end) => {
        $crate::export_hook!("onQueryEnd", on_query_end);
    };
    (on_transaction_end) => {
        $crate::export_hook!("onTransactionEnd", on_transaction_end);
    };
    ($name:literal, $hook:ident) => {
        const _: () = {
            #[export_name = $name]
            pub extern "C" fn hook() -> i32 {
                $crate::call($hook)
            }
        };
    };
}
