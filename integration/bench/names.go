package main

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/net/dns/dnsmessage"
)

// lookUpAdds is what the resolver of a container may add to a look-up, in us.
const lookUpAdds = 1000

// farName is the name of the other end.
const farName = "far.bench.test"

// named is hatchdog with a profile that allows the other end by its name alone. Its
// address is documentation's, which a name stands for only where it may be private.
func (b *bench) named() side { return side{"named", b.hatchdog, b.path("named.yaml")} }

func (b *bench) namedPolicy() string {
	return b.base(b.runc) + "profile: p\nprofiles: {p: {extends: builtin/restricted, others: admit, userns: {mode: off}, " +
		"egress: {default: deny, allow: [{name: \"" + farName + ":9001-9002/tcp\", private: true}]}}}\n"
}

// names measures what it costs that a container is given names: what a look-up takes
// by its resolver, and what is left of a connection to an address that was looked up.
func (b *bench) names() error {
	f, err := newFar()
	if err != nil {
		return fmt.Errorf("the other end: %w", err)
	}
	defer f.close()
	all, err := b.alternate([2]side{b.direct(), b.named()}, func(s side, id string) (map[string]float64, error) {
		return b.trafficOf(f, s, "names-"+id, "names", farName, farAddr)
	})
	if err != nil {
		return err
	}
	b.row(row{what: "look-up of a name, no firewall against names", of: *all["lookup"], unit: "us", adds: lookUpAdds})
	b.row(row{what: "TCP stream, no firewall against names", of: *all["stream"], unit: "MB/s", leaves: leavesOf})
	b.row(row{what: "TCP round trip, no firewall against names", of: *all["ask"], unit: "us", ratio: mayTake})
	return nil
}

// resolves answers each question for an address with that of the other end.
func resolves(pc net.PacketConn) {
	buf := make([]byte, 1232)
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			return // it was closed
		}
		if answer, err := answered(buf[:n]); err == nil {
			_, _ = pc.WriteTo(answer, from)
		}
	}
}

func answered(question []byte) ([]byte, error) {
	var p dnsmessage.Parser
	h, err := p.Start(question)
	if err != nil {
		return nil, err
	}
	q, err := p.Question()
	if err != nil {
		return nil, err
	}
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: h.ID, Response: true, RecursionAvailable: true})
	err = errors.Join(b.StartQuestions(), b.Question(q), b.StartAnswers())
	if q.Type == dnsmessage.TypeA {
		err = errors.Join(err, b.AResource(dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}, dnsmessage.AResource{A: [4]byte(net.ParseIP(farAddr).To4())}))
	}
	if err != nil {
		return nil, err
	}
	return b.Finish()
}
