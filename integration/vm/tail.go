package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// tail follows a file that QEMU writes.
type tail struct {
	mu   sync.Mutex
	text strings.Builder
	stop chan bool
	done chan bool
}

// follow calls show for each line as it comes.
func follow(path string, show func(string)) *tail {
	t := &tail{stop: make(chan bool), done: make(chan bool)}
	go t.read(path, show)
	return t
}

func (t *tail) read(path string, show func(string)) {
	defer close(t.done)
	var f *os.File
	var rest []byte
	for last := false; ; {
		if f == nil {
			f, _ = os.Open(path) // it comes when QEMU has started
		}
		if f != nil {
			data, _ := io.ReadAll(f)
			rest = t.lines(append(rest, data...), show)
		}
		if last {
			break
		}
		select {
		case <-t.stop:
			last = true
		case <-time.After(200 * time.Millisecond):
		}
	}
	if f != nil {
		f.Close()
	}
}

// lines hands on the whole lines and returns what is left.
func (t *tail) lines(data []byte, show func(string)) []byte {
	for {
		line, rest, ok := bytes.Cut(data, []byte("\n"))
		if !ok {
			return data
		}
		t.mu.Lock()
		t.text.Write(line)
		t.text.WriteByte('\n')
		t.mu.Unlock()
		show(string(line))
		data = rest
	}
}

// seen says whether text came so far.
func (t *tail) seen(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Contains(t.text.String(), text)
}

// end reads what is left and closes the file.
func (t *tail) end() {
	close(t.stop)
	<-t.done
}
