package main

import (
	"syscall"
	"unsafe"
)

// System calls past the scheduler, which has nobody else to run: to tell it of each costs as much as a third of
// a small request. They are made again when a signal interrupts them.

func call(number uintptr, fd int, data unsafe.Pointer, length int, option, more uintptr) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(number, uintptr(fd), uintptr(data), uintptr(length), option, more, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}

// read and write take a buffer that is not empty.
func read(fd int, data []byte) (int, error) {
	return call(syscall.SYS_READ, fd, unsafe.Pointer(&data[0]), len(data), 0, 0)
}

func write(fd int, data []byte) (int, error) {
	return call(syscall.SYS_WRITE, fd, unsafe.Pointer(&data[0]), len(data), 0, 0)
}

// discard has the kernel throw away what was received; nothing is copied.
func discard(fd, length int) (int, error) {
	return call(syscall.SYS_RECVFROM, fd, nil, length, syscall.MSG_TRUNC, 0)
}

// ready waits for events, as long as it takes.
func ready(poll int, events []syscall.EpollEvent) (int, error) {
	return call(syscall.SYS_EPOLL_PWAIT, poll, unsafe.Pointer(&events[0]), len(events), ^uintptr(0), 0)
}
