package resolver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// The memory that Go's runtime keeps: the loop makes little garbage, and there is
// one such process for each container with names.
const (
	memory     = 4 << 20 // bytes
	collection = 25      // percent of what is live
)

// Run is the process. It returns its exit code.
func Run() int {
	// Nothing runs beside the loop.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(collection)
	debug.SetMemoryLimit(memory)
	s, last, err := prepare()
	if err == nil {
		s.pages, err = programPages()
	}
	if err == nil {
		err = lockDown(last)
	}
	if err != nil {
		_, _ = unix.Write(readyFD, []byte(err.Error()))
		return 1
	}
	debug.FreeOSMemory()
	// Who started it may have been killed: whoever starts the container again
	// finds it.
	_, _ = unix.Write(readyFD, []byte{ready})
	_ = unix.Close(readyFD)
	release(s.pages)
	if err := s.serve(); err != nil {
		s.status.write(time.Now(), "it failed: "+err.Error())
		return 1
	}
	s.status.write(time.Now(), EndedWithContainer)
	return 0
}

// EndedWithContainer is Status.Ended where all went as it should.
const EndedWithContainer = "the container's first process ended"

// ready is what the process says when it answers.
const ready = 0

// prepare takes the descriptors over. last is behind them.
func prepare() (*server, int, error) {
	data, err := io.ReadAll(os.NewFile(configFD, "config"))
	if err != nil {
		return nil, 0, err
	}
	s := &server{status: &status{names: map[string]*Name{}, refused: map[string]*Refused{}}}
	if err := json.Unmarshal(data, &s.cfg); err != nil {
		return nil, 0, fmt.Errorf("config: %w", err)
	}
	now := time.Now()
	s.gates = gatekeeper{gates: s.cfg.Gates, until: map[opening]kept{}, order: send}
	s.rate = bucket{rate: perSecond, most: burst, have: burst, last: now}
	s.starRate = bucket{rate: starPerSecond, most: starBurst, have: starBurst, last: now}
	s.buf = make([]byte, maxAnswer)
	next := firstFD
	var blocks error
	take := func(n int, f func(fd int)) {
		for range n {
			blocks = errors.Join(blocks, unix.SetNonblock(next, true)) // os/exec made it wait
			f(next)
			next++
		}
	}
	take(s.cfg.Listeners, func(fd int) { s.listeners = append(s.listeners, fd) })
	take(s.cfg.Streams, func(fd int) { s.accepting = append(s.accepting, fd) })
	take(s.cfg.Datagrams4, func(fd int) { s.sockets = append(s.sockets, &socket{fd: fd}) })
	take(s.cfg.Streams4, func(fd int) { s.sockets = append(s.sockets, &socket{fd: fd, stream: true}) })
	take(s.cfg.Datagrams6, func(fd int) { s.sockets = append(s.sockets, &socket{fd: fd, v6: true}) })
	take(s.cfg.Streams6, func(fd int) { s.sockets = append(s.sockets, &socket{fd: fd, v6: true, stream: true}) })
	return s, next, blocks
}
