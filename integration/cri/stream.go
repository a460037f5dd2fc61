package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/websocket"
)

// The channels of an exec, and of a port that is forwarded: the first byte of
// each frame.
const (
	execIn, execOut, execErr, execStatus = 0, 1, 2, 3

	portData, portErr = 0, 1
)

var errRemote = errors.New("the other side says")

// dial speaks to containerd's streaming server at the address that Exec and
// PortForward answer with, as a client of the kubelet does.
func dial(address string) (*websocket.Conn, error) {
	config, err := websocket.NewConfig(strings.Replace(address, "http://", "ws://", 1), "http://localhost/")
	if err != nil {
		return nil, err
	}
	config.Protocol = []string{"v4.channel.k8s.io"}
	conn, err := websocket.DialConfig(config)
	if err == nil {
		conn.PayloadType = websocket.BinaryFrame
	}
	return conn, err
}

// send opens a stream and gives it all of in, over one of its channels.
func send(address string, channel byte, in io.Reader) (*websocket.Conn, error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	conn, err := dial(address)
	if err != nil {
		return nil, err
	}
	if err := websocket.Message.Send(conn, append([]byte{channel}, text...)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// streamExec gives the command in, and copies what it prints.
func streamExec(address string, in io.Reader, out, errs io.Writer) error {
	conn, err := send(address, execIn, in)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the answer was read
	for {
		var frame []byte
		if err := websocket.Message.Receive(conn, &frame); err != nil {
			return fmt.Errorf("before the end of the command: %w", err)
		}
		if len(frame) == 0 {
			continue
		}
		switch body := frame[1:]; frame[0] {
		case execOut:
			_, err = out.Write(body)
		case execErr:
			_, err = errs.Write(body)
		case execStatus:
			if len(body) == 0 { // opens the channel
				continue
			}
			if strings.Contains(string(body), `"status":"Success"`) {
				return nil
			}
			return fmt.Errorf("%w %s", errRemote, body)
		}
		if err != nil {
			return err
		}
	}
}

// streamPort sends in to the forwarded port and copies the first line that
// comes back.
func streamPort(address string, in io.Reader, out io.Writer) error {
	conn, err := send(address, portData, in)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // the answer was read
	// The first frame of each channel is the number of the port.
	numbered := map[byte]bool{}
	answer, write := io.Pipe()
	go func() {
		for {
			var frame []byte
			err := websocket.Message.Receive(conn, &frame)
			switch {
			case err != nil:
				_ = write.CloseWithError(err)
				return
			case len(frame) < 2:
			case !numbered[frame[0]]:
				numbered[frame[0]] = true
			case frame[0] == portErr:
				_ = write.CloseWithError(fmt.Errorf("%w %s", errRemote, frame[1:]))
				return
			default:
				_, _ = write.Write(frame[1:])
			}
		}
	}()
	line, err := bufio.NewReader(answer).ReadString('\n')
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, line)
	return err
}
