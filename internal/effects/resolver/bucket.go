package resolver

import (
	"time"
)

// bucket bounds a rate.
type bucket struct {
	rate, most float64
	have       float64
	last       time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.have = min(b.most, b.have+now.Sub(b.last).Seconds()*b.rate)
	b.last = now
	if b.have < 1 {
		return false
	}
	b.have--
	return true
}
