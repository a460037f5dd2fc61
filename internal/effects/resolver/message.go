package resolver

import (
	"errors"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// question is what the container asks.
type question struct {
	id      uint16
	q       dnsmessage.Question
	name    string // in lower case, without the final dot
	desired bool   // recursion
	edns    bool
	size    int // the longest answer in a datagram
}

// The longest answers in a datagram: without EDNS (RFC 1035, 4.2.1), and what
// passes everywhere (DNS flag day 2020).
const (
	plainSize = 512
	ednsSize  = 1232
)

var errNoQuestion = errors.New("not a question")

// parseQuestion reads a message of the container's. With an error there is an
// answer only if answerable.
func parseQuestion(b []byte) (q question, answerable bool, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || h.Response {
		return q, false, errNoQuestion
	}
	q.id, q.desired, q.size = h.ID, h.RecursionDesired, plainSize
	all, err := p.AllQuestions()
	if err != nil || len(all) != 1 || h.OpCode != 0 {
		return q, true, errNoQuestion
	}
	q.q = all[0]
	q.name = plain(q.q.Name)
	if err := errors.Join(p.SkipAllAnswers(), p.SkipAllAuthorities()); err != nil {
		return q, true, errNoQuestion
	}
	for range 4 {
		h, err := p.AdditionalHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		}
		if err != nil {
			return q, true, errNoQuestion
		}
		if h.Type == dnsmessage.TypeOPT {
			q.edns, q.size = true, min(max(int(h.Class), plainSize), ednsSize)
		}
		if p.SkipAdditional() != nil {
			return q, true, errNoQuestion
		}
	}
	return q, true, nil
}

// plain is a name as the policy has it. Letters of ASCII alone have a case (RFC
// 4343): in Unicode more letters than one become k.
func plain(n dnsmessage.Name) string {
	b := []byte(strings.TrimSuffix(n.String(), "."))
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// ask is the question as it goes to another resolver: nothing of the container's
// message but the name and the type. The name is as the policy has it: which
// letters are capitals would carry data out.
func ask(id uint16, q dnsmessage.Question) ([]byte, error) {
	var err error
	if q.Name, err = dnsmessage.NewName(plain(q.Name) + "."); err != nil {
		return nil, err
	}
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: id, RecursionDesired: true})
	var opt dnsmessage.ResourceHeader
	err = errors.Join(b.StartQuestions(), b.Question(q), b.StartAdditionals(), opt.SetEDNS0(ednsSize, dnsmessage.RCodeSuccess, false))
	if err != nil {
		return nil, err
	}
	if err := b.OPTResource(opt, dnsmessage.OPTResource{}); err != nil {
		return nil, err
	}
	return b.Finish()
}

// found is what another resolver answers.
type found struct {
	code      dnsmessage.RCode
	truncated bool
	records   []dnsmessage.Resource // aliases in their order, then what was asked
}

var errForeign = errors.New("not the answer to this question")

// parseAnswer reads an answer to q. Records that are no part of it are left out.
func parseAnswer(b []byte, id uint16, q dnsmessage.Question) (found, error) {
	var f found
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || !h.Response || h.ID != id || h.OpCode != 0 {
		return f, errForeign
	}
	all, err := p.AllQuestions()
	if err != nil || len(all) != 1 || all[0].Type != q.Type || all[0].Class != q.Class || plain(all[0].Name) != plain(q.Name) {
		return f, errForeign
	}
	f.code, f.truncated = h.RCode, h.Truncated
	if f.truncated {
		return f, nil
	}
	aliases := map[string]dnsmessage.Resource{}
	var others []dnsmessage.Resource
	for {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		}
		if err != nil {
			return f, errForeign
		}
		if h.Class != q.Class || h.Type != q.Type && h.Type != dnsmessage.TypeCNAME {
			if p.SkipAnswer() != nil {
				return f, errForeign
			}
			continue
		}
		r, err := p.Answer()
		if err != nil {
			return f, errForeign
		}
		if owner := plain(h.Name); h.Type == dnsmessage.TypeCNAME {
			if len(aliases) < maxChain {
				aliases[owner] = r
			}
		} else if len(others) < maxRecords {
			others = append(others, r)
		}
	}
	f.records = chain(q, aliases, others)
	return f, nil
}

// chain are the aliases from the question on, and the records that the last of
// them has.
func chain(q dnsmessage.Question, aliases map[string]dnsmessage.Resource, others []dnsmessage.Resource) []dnsmessage.Resource {
	var all []dnsmessage.Resource
	name := plain(q.Name)
	for range maxChain {
		alias, ok := aliases[name]
		if !ok {
			break
		}
		delete(aliases, name) // a loop ends
		all = append(all, alias)
		if q.Type == dnsmessage.TypeCNAME {
			return all
		}
		name = plain(alias.Body.(*dnsmessage.CNAMEResource).CNAME)
	}
	for _, r := range others {
		if plain(r.Header.Name) == name {
			all = append(all, r)
		}
	}
	return all
}

// mayPass reports whether records of a type are handed on. They hold no address
// that a program reaches but by a name, which it asks for.
func mayPass(t dnsmessage.Type) bool {
	switch t {
	case dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeCNAME, dnsmessage.TypeTXT, dnsmessage.TypeSRV, dnsmessage.TypeMX,
		dnsmessage.TypeNS, dnsmessage.TypeSOA:
		return true
	}
	return false
}

// reply is the answer to the container. One that is too long for size has no
// records, and says so.
func reply(q question, code dnsmessage.RCode, records []dnsmessage.Resource, size int) []byte {
	b, err := build(q, code, records, false)
	if err != nil {
		b, err = build(q, dnsmessage.RCodeServerFailure, nil, false)
	} else if len(b) > size {
		b, err = build(q, code, nil, true)
	}
	if err != nil {
		return nil
	}
	return b
}

func build(q question, code dnsmessage.RCode, records []dnsmessage.Resource, truncated bool) ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{
		ID: q.id, Response: true, RecursionDesired: q.desired, RecursionAvailable: true, RCode: code, Truncated: truncated,
	})
	b.EnableCompression()
	if q.q.Name.Length > 0 {
		if err := errors.Join(b.StartQuestions(), b.Question(q.q)); err != nil {
			return nil, err
		}
	}
	if err := b.StartAnswers(); err != nil {
		return nil, err
	}
	for _, r := range records {
		if err := add(&b, r); err != nil {
			return nil, err
		}
	}
	if q.edns {
		var opt dnsmessage.ResourceHeader
		if err := errors.Join(b.StartAdditionals(), opt.SetEDNS0(ednsSize, code, false)); err != nil {
			return nil, err
		}
		if err := b.OPTResource(opt, dnsmessage.OPTResource{}); err != nil {
			return nil, err
		}
	}
	return b.Finish()
}

func add(b *dnsmessage.Builder, r dnsmessage.Resource) error {
	switch body := r.Body.(type) {
	case *dnsmessage.AResource:
		return b.AResource(r.Header, *body)
	case *dnsmessage.AAAAResource:
		return b.AAAAResource(r.Header, *body)
	case *dnsmessage.CNAMEResource:
		return b.CNAMEResource(r.Header, *body)
	case *dnsmessage.TXTResource:
		return b.TXTResource(r.Header, *body)
	case *dnsmessage.SRVResource:
		return b.SRVResource(r.Header, *body)
	case *dnsmessage.MXResource:
		return b.MXResource(r.Header, *body)
	case *dnsmessage.NSResource:
		return b.NSResource(r.Header, *body)
	case *dnsmessage.SOAResource:
		return b.SOAResource(r.Header, *body)
	}
	return errForeign
}

// lifeOf is the number of the shortest of lives that is as long as ttl.
func lifeOf(ttl time.Duration, lives []time.Duration) int {
	for i, l := range lives {
		if ttl <= l {
			return i
		}
	}
	return len(lives) - 1
}
