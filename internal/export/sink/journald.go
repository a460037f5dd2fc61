package sink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/export/encode"
	"github.com/hatchdog/hatchdog/internal/export/record"
)

// patience is how long one write to a receiver may take.
const patience = 10 * time.Second

// Journald writes to journald's socket.
type Journald struct {
	Socket string
	Host   encode.Host
	conn   *net.UnixConn
}

// Send writes a datagram for each record. One that is too large goes in a file in
// memory, as the protocol has it.
func (j *Journald) Send(_ context.Context, batch []record.Record) (Sent, error) {
	if j.conn == nil {
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: j.Socket, Net: "unixgram"})
		if err != nil {
			return Sent{}, err
		}
		j.conn = conn
	}
	for i, r := range batch {
		if err := j.send(encode.Journal(r, j.Host)); err != nil {
			return Sent{Done: i}, errors.Join(err, j.Close())
		}
	}
	return Sent{Done: len(batch)}, nil
}

func (j *Journald) send(msg []byte) error {
	if err := j.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := j.conn.Write(msg)
	if !errors.Is(err, unix.EMSGSIZE) && !errors.Is(err, unix.ENOBUFS) {
		return err
	}
	fd, err := unix.MemfdCreate("hatchdog", unix.MFD_ALLOW_SEALING|unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("journald: %w", err)
	}
	file := os.NewFile(uintptr(fd), "journal entry")
	defer file.Close()
	if _, err := file.Write(msg); err != nil {
		return err
	}
	if _, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE|unix.F_SEAL_SEAL); err != nil {
		return fmt.Errorf("journald: %w", err)
	}
	return j.pass(int(file.Fd()))
}

// pass sends a file descriptor alone.
func (j *Journald) pass(fd int) error {
	raw, err := j.conn.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Write(func(socket uintptr) bool {
		sent = unix.Sendmsg(int(socket), nil, unix.UnixRights(fd), nil, 0)
		return !errors.Is(sent, unix.EAGAIN)
	})
	return errors.Join(err, sent)
}

// Close closes the socket.
func (j *Journald) Close() error {
	if j.conn == nil {
		return nil
	}
	conn := j.conn
	j.conn = nil
	return conn.Close()
}
