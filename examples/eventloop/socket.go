//go:build linux

package main

import (
	"net/netip"
	"syscall"
)

// listen opens the listening socket and the epoll instance, and returns the address with its real port.
func (l *loop) listen(at netip.AddrPort) (netip.AddrPort, error) {
	family, sa := address(at)
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return at, err
	}
	if err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return at, err
	}
	if err = syscall.Bind(fd, sa); err != nil {
		return at, err
	}
	if err = syscall.Listen(fd, 1024); err != nil {
		return at, err
	}
	l.listener = fd
	if l.epoll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return at, err
	}
	if err = l.watch(syscall.EPOLL_CTL_ADD, fd, syscall.EPOLLIN); err != nil {
		return at, err
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return at, err
	}
	port := at.Port()
	switch b := bound.(type) {
	case *syscall.SockaddrInet4:
		port = uint16(b.Port)
	case *syscall.SockaddrInet6:
		port = uint16(b.Port)
	}
	return netip.AddrPortFrom(at.Addr(), port), nil
}

func address(at netip.AddrPort) (family int, sa syscall.Sockaddr) {
	if at.Addr().Is4() {
		return syscall.AF_INET, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	return syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
}

func (l *loop) watch(op, fd int, events uint32) error {
	return syscall.EpollCtl(l.epoll, op, fd, &syscall.EpollEvent{Events: events, Fd: int32(fd)})
}
