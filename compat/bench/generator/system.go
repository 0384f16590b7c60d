package main

import (
	"syscall"
	"unsafe"
)

// Calls past the scheduler, which has nobody else to run: telling it of each costs a tenth of a small request.

// transfer reads into or writes from a buffer that is not empty.
func transfer(call uintptr, fd int, data []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// discard has the kernel throw away what was received, and copies nothing.
func discard(fd, length int) (int, error) {
	n, _, errno := syscall.RawSyscall6(
		syscall.SYS_RECVFROM, uintptr(fd), 0, uintptr(length), syscall.MSG_TRUNC, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// ready waits for events.
func ready(poll int, events []syscall.EpollEvent, milliseconds int) (int, error) {
	n, _, errno := syscall.RawSyscall6(
		syscall.SYS_EPOLL_PWAIT, uintptr(poll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(milliseconds), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
