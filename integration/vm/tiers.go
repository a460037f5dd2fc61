package main

import (
	"fmt"
	"strings"
	"time"
)

// tierOf is one boot and the tests that run in it.
type tierOf struct {
	name    string
	run     string // as go test -run takes it
	require string // features that no test may be skipped for lack of
	dockers string // which Docker the tests run under: that of the image, or the newest
	debian  string // whose kernel and user land it is: the oldest release that is still kept up, or the newest
	limit   time.Duration
	lsm     string // the security module that confines: AppArmor where it is empty
	args    string // more arguments of the tests
}

// bare is what a guest has under any security module.
const bare = "root,netns,overlay,cgroup,cgroup2,pids,memory,swap"

const always = bare + ",apparmor,crun,bpflsm"

const oldest, newest = "bookworm", "trixie"

// tiers are the boots of the lane. What shows the same on any host stays out:
// the guest is some 25 times slower.
func tiers() []tierOf {
	return []tierOf{
		{
			name:    "cgroupfs",
			run:     `^Test(Cgroup2|AppArmor|Crun|PreventRefusals)|^TestWatch(TellsOfCalls|LeavesOtherCallsAlone)$|^TestNames(WiredBeforeStart|ResolverKilled|ContainerKilled)$|^TestDocker(Inside|ExecGetsNoMore|Life|Stop)$|^TestContainerd$/Debian`,
			require: always,
			dockers: "20.10",
			debian:  oldest,
			limit:   10 * time.Minute,
		},
		{
			name:    "docker",
			run:     `^TestDocker(Inside|ExecGetsNoMore|Life|Stop)$|^Test(Egress|Names)Docker$|^TestPrevent$`,
			require: always,
			dockers: "current",
			debian:  oldest,
			limit:   10 * time.Minute,
		},
		{
			// The oldest kernel that has all of it, without mappings for tmpfs.
			name:    "userns",
			run:     `^TestUserNS(Docker|Ownership|Devices|Volumes|Joined|Copies|Prevented|EveryStep|DebiansRunc)$|^TestCounts$`,
			require: always,
			dockers: "20.10",
			debian:  oldest,
			limit:   10 * time.Minute,
		},
		{
			// Kernel 6.12, and the engines between the oldest and the newest.
			name:    "newest",
			run:     `^TestPrevent$|^TestUserNS(Docker|Prevented)$|^TestDockerInside$|^TestCgroup2PidsAndCPU$|^TestWatch(TellsOfCalls|LeavesOtherCallsAlone|Freezes|KillsAndCaptures|TellsOfAnEscape|TellsOfChangedFiles|IsolatesWhoAsksForMetadata)$|^TestLearnRecordsInTheBackground$`,
			require: always,
			dockers: "20.10",
			debian:  newest,
			limit:   15 * time.Minute,
		},
		{
			name:    "systemd",
			run:     `^TestSystemd`,
			require: always + ",systemd",
			dockers: "20.10",
			debian:  oldest,
			limit:   5 * time.Minute,
		},
	}
}

// further are the boots that run only where they are named: they are too long for
// each run of the lane.
func further() []tierOf {
	return []tierOf{
		{
			// SELinux enforces Debian's policy, and systemd starts Docker in its domain.
			name:    "selinux",
			run:     `^TestSELinux`,
			require: bare + ",selinux,systemd",
			dockers: "20.10",
			debian:  newest,
			limit:   10 * time.Minute,
			lsm:     "selinux",
		},
		{
			name:    "docker-life",
			run:     `^TestDocker(Options|ExitCodes|Verbs|Attach|HealthAndRestart|Volumes|NetworkOfARunningContainer|OrdinaryUse|Refusals|CpWhileNamesChange|CpRunsNothingOfTheContainer|ContainerKilled)$|^TestDockerdKilled$`,
			require: always,
			dockers: "current",
			debian:  oldest,
			limit:   20 * time.Minute,
		},
		{
			name:    "cri-life",
			run:     `^TestCRI(Life)?$|^TestShim`,
			require: always,
			dockers: "current",
			debian:  oldest,
			limit:   30 * time.Minute,
		},
		{
			name:    "soak",
			run:     `^TestSoak(Docker|CRI)?$`,
			require: always,
			dockers: "current",
			debian:  oldest,
			limit:   60 * time.Minute,
			args:    "-cycles 300 -engine-cycles 100 -at-once 50",
		},
	}
}

func names() string {
	var all []string
	for _, t := range append(tiers(), further()...) {
		all = append(all, t.name)
	}
	return strings.Join(all, ", ")
}

// choose is every tier, or the one that was asked for. With tests of one's own
// choice the tier is the first, unless it is named.
func choose(run, name string) ([]tierOf, error) {
	all := tiers()
	if name == "" && run == "" {
		return all, nil
	}
	if name == "" {
		name = all[0].name
	}
	for _, t := range append(all, further()...) {
		if t.name != name {
			continue
		}
		if run != "" {
			t.run = run
		}
		return []tierOf{t}, nil
	}
	return nil, fmt.Errorf("no tier %q; there are %s", name, names())
}
