//! Rejects every query, without the standard library.
#![no_std]
// What happens if there is no memory has a default that is stable from Rust 1.68 on.
#![allow(stable_features)]
#![feature(default_alloc_error_handler)]

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{addr_of_mut, null_mut};
use core::sync::atomic::{AtomicUsize, Ordering};
use sluice_plugin::{export, reject, Event, Verdict};

export!(on_query);

fn on_query(event: &Event) -> Verdict {
    reject("42501", &event.text(), "")
}

/// Gives out a part of an array once.
struct Arena(AtomicUsize);

const SIZE: usize = 1 << 16;
static mut BYTES: [u8; SIZE] = [0; SIZE];

#[global_allocator]
static ARENA: Arena = Arena(AtomicUsize::new(0));

unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = addr_of_mut!(BYTES) as *mut u8;
        let used = self.0.fetch_add(layout.size() + layout.align(), Ordering::Relaxed);
        if used + layout.size() + layout.align() > SIZE {
            return null_mut();
        }
        base.add(used + base.add(used).align_offset(layout.align()))
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[panic_handler]
fn stop(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
