package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	learning "github.com/hatchdog/hatchdog/internal/learn"
	"github.com/hatchdog/hatchdog/internal/workload"
)

var (
	errNoLearning = errors.New("what containers do cannot be recorded on this host")
	errNoCalls    = errors.New("the recording holds no call: its container did nothing, or recorded by --log it did not have the filter of 'hatchctl learn filter'")
	errNoRuns     = errors.New("the recording holds no container: nothing is learned from it")
)

// selection says which containers are recorded.
type selection struct {
	labels []string
	image  string
	log    bool
}

// pick is true for a container of the selection, or that has a name.
func (s selection) pick(name string) (func(workload.Workload) bool, error) {
	for _, label := range s.labels {
		key, value, labelled := strings.Cut(label, "=")
		if !labelled || key == "" {
			return nil, fmt.Errorf("--label %q: want KEY=VALUE", label)
		}
		if _, err := path.Match(value, ""); err != nil {
			return nil, fmt.Errorf("--label %q: %w", label, err)
		}
	}
	if _, err := path.Match(s.image, ""); err != nil {
		return nil, fmt.Errorf("--image %q: %w", s.image, err)
	}
	return func(w workload.Workload) bool {
		switch {
		case name != "":
			return fits(name, w.ID, w) < fitStart // who chooses an id could begin it as a name
		case len(s.labels) > 0:
			return !slices.ContainsFunc(s.labels, func(label string) bool { return !labelled(w, label) })
		}
		fit, _ := path.Match(s.image, w.Image)
		return fit || w.Image == s.image
	}, nil
}

// labelled is true for a container that has a label, of its engine or of its pod.
func labelled(w workload.Workload, label string) bool {
	key, value, _ := strings.Cut(label, "=")
	got, have := w.Labels[key]
	if w.Pod != "" { // it is the engine's, and no annotation of the pod's owner
		of := map[string]string{"io.kubernetes.pod.namespace": w.Namespace, "io.kubernetes.pod.name": w.Pod, "io.kubernetes.pod.uid": w.PodUID, "io.kubernetes.container.name": w.Container}
		if name, is := of[key]; is {
			got, have = name, name != ""
		}
	}
	fit, _ := path.Match(value, got)
	return have && (fit || got == value)
}

func (s *selection) flags(cmd *cobra.Command) {
	logFlag(cmd, &s.log)
	cmd.Flags().StringArrayVar(&s.labels, "label", nil, "record containers with this label of Docker's, or io.kubernetes.pod.namespace, .pod.name, .pod.uid or .container.name of a pod, KEY=VALUE; may be given again: all must fit; * stands for anything but /")
	cmd.Flags().StringVar(&s.image, "image", "", "record containers of this image, as its user named it; * stands for anything but /")
}

// arguments wants one of a container, labels and an image.
func (s *selection) arguments(cmd *cobra.Command, args []string) error {
	given := len(args)
	if len(s.labels) > 0 {
		given++
	}
	if s.image != "" {
		given++
	}
	if given != 1 {
		return usageError(cmd, "want one of CONTAINER, --label and --image")
	}
	return nil
}

func learnStart(o *options) *cobra.Command {
	var s selection
	var as string
	cmd := &cobra.Command{
		Use: "start [CONTAINER]", Short: "Record containers in the background, until learn stop",
		Long: `Record containers in the background, until 'learn stop': the one that has this name
now or will have it, those with labels, or those of an image. Restarts and replicas
are recorded too. A name that is recorded anew begins anew: merge keeps both.

CONTAINER is NAMESPACE/POD/CONTAINER in Kubernetes, or NAMESPACE/POD for all of a pod.

A process of hatchctl's own records, and nothing waits for it: if it is killed, what it
recorded until five seconds before is kept.

` + nameHelp,
		Example: `  hatchctl learn start web
  hatchctl learn start --image 'nginx:*' --as nginx
  hatchctl learn start --label tier=db
  hatchctl learn start --label 'io.kubernetes.pod.name=web-*' --label io.kubernetes.container.name=web`,
		Args: s.arguments, ValidArgsFunction: o.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := as
			if name == "" {
				name = learning.NameFor(strings.Join(slices.Concat(args, s.labels, []string{s.image}), ""))
			}
			if err := o.startRecorder(name, s, args); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "recording %s; 'hatchctl learn stop %s' ends it\n", name, name)
			return nil
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&as, "as", "", "the name of the recording (default: made from what is recorded)")
	return cmd
}

// readyLine is what a recorder says once it counts.
const readyLine = "recording"

// startRecorder starts a recorder that outlives us, and waits until it counts.
func (o *options) startRecorder(name string, s selection, args []string) error {
	if err := learning.CheckName(name); err != nil {
		return err
	}
	if _, err := s.pick(strings.Join(args, "")); err != nil {
		return err
	}
	said, say, err := os.Pipe()
	if err != nil {
		return err
	}
	defer said.Close()
	own := []string{"learn", "record", "--as", name, "--image", s.image, "--policy", o.policyFile, "--state-dir", o.stateDir}
	for _, label := range s.labels {
		own = append(own, "--label", label)
	}
	if s.log {
		own = append(own, "--log")
	}
	cmd := exec.Command("/proc/self/exe", append(append(own, "--"), args...)...) //nolint:gosec // ourselves
	cmd.Args[0] = os.Args[0]
	cmd.Stderr = say
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = say.Close()
	if err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }()
	line, err := bufio.NewReader(said).ReadString('\n')
	if line = strings.TrimSpace(line); line == readyLine {
		return nil
	}
	if line == "" && err != nil {
		return fmt.Errorf("the recorder ended: %w", err)
	}
	return errors.New(strings.TrimPrefix(line, "hatchctl: "))
}

// learnRecord is the recorder itself.
func learnRecord(o *options) *cobra.Command {
	var s selection
	var as string
	cmd := &cobra.Command{
		Use: "record", Hidden: true, Short: "Record until it is told to end", Args: s.arguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			pick, err := s.pick(strings.Join(args, ""))
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return o.record(ctx, as, sought{pick: pick, log: s.log}, func() {
				fmt.Fprintln(os.Stderr, readyLine)
				if null, err := os.OpenFile("/dev/null", os.O_RDWR, 0); err == nil {
					_ = syscall.Dup3(int(null.Fd()), int(os.Stderr.Fd()), 0)
				}
			})
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&as, "as", "", "the name of the recording")
	return cmd
}

// record records until ctx ends.
func (o *options) record(ctx context.Context, name string, s sought, ready func()) error {
	r := o.recordings()
	lock, err := r.take(name)
	if err != nil {
		return err
	}
	defer lock.Close()
	rec, err := o.newRecorder(s, func(d *learning.Data) error { return r.write(name, d) })
	if err != nil {
		return fmt.Errorf("%w: %w", errNoLearning, err)
	}
	defer rec.close()
	if err := errors.Join(lock.Truncate(0), writeAt(lock, fmt.Sprintln(os.Getpid()))); err != nil {
		return err
	}
	if err := rec.flush(); err != nil {
		return err
	}
	if err := rec.step(time.Now(), true); err != nil {
		return err
	}
	ready()
	return rec.run(ctx)
}

func writeAt(w io.WriterAt, text string) error {
	_, err := w.WriteAt([]byte(text), 0)
	return err
}
