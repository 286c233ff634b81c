//! The guest's allocator and panic handler.
//!
//! The host starts a fresh instance for each batch, so nothing needs to be freed: memory is taken from the end of what the guest has, and
//! the newest piece can grow in place, which is how a list of decisions grows without a copy. Where a host uses an instance for several
//! calls, it says after each that it has read the result (`post-return`); a policy keeps nothing between calls, so all is free again.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::cell::Cell;

const PAGE: usize = 65_536;
/// Memory grows by at least this many pages, so that a batch of 4096 rows needs a call or two.
const GROW_PAGES: usize = 2;

struct Arena {
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: a guest has one thread; the host refuses modules with shared memory.
unsafe impl Sync for Arena {}

unsafe extern "C" {
    static __heap_base: u8;
}

impl Arena {
    /// Takes up to `end`, growing the memory as needed; false if the host refuses.
    fn reach(&self, end: usize) -> bool {
        if end > self.end.get() {
            let missing = (end - self.end.get()).div_ceil(PAGE).max(GROW_PAGES);
            if wasm32::memory_grow::<0>(missing) == usize::MAX {
                return false;
            }
            self.end.set(self.end.get() + missing * PAGE);
        }
        self.next.set(end);
        true
    }
}

// SAFETY: pieces never overlap: each begins where the one before ended, and only the newest grows in place.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.next.get() == 0 {
            // The linker defines the symbol; only its address is used.
            self.next.set(&raw const __heap_base as usize);
            self.end.set(wasm32::memory_size::<0>() * PAGE);
        }
        let at = self.next.get().next_multiple_of(layout.align());
        match at.checked_add(layout.size()) {
            Some(end) if self.reach(end) => at as *mut u8,
            _ => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let newest = old as usize + layout.size() == self.next.get();
        if newest || size <= layout.size() {
            let grown = !newest || (old as usize).checked_add(size).is_some_and(|end| self.reach(end));
            return if grown { old } else { core::ptr::null_mut() };
        }
        // SAFETY: the new piece is as large as asked and does not overlap the old one.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                core::ptr::copy_nonoverlapping(old, new, layout.size());
            }
            new
        }
    }
}

/// Everything is free again: the host has read the result of the call.
pub(crate) fn reset() {
    ARENA.next.set(0);
}

#[global_allocator]
static ARENA: Arena = Arena { next: Cell::new(0), end: Cell::new(0) };

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    wasm32::unreachable()
}
