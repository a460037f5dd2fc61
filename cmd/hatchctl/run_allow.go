package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// registriesWord stands for the registries of the preset in --allow.
const registriesWord = "registries"

var (
	errGroup      = errors.New("--allow takes addresses and names, not groups of them")
	errRegistries = errors.New("the preset names no registries: hatchctl run --show-preset")
)

// allowed reads the entries of --allow. A name without ports has that of HTTPS.
func allowed(entries, registries []string) ([]string, error) {
	var all []string
	for _, text := range entries {
		more := []string{text}
		if text == registriesWord {
			if more = registries; len(more) == 0 {
				return nil, fmt.Errorf("--allow %s: %w", text, errRegistries)
			}
		}
		for _, m := range more {
			one, err := allowedOne(m)
			if err != nil {
				return nil, fmt.Errorf("--allow %s: %w", m, err)
			}
			if !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
	}
	return all, nil
}

func allowedOne(text string) (string, error) {
	e, err := egress.Parse(text)
	if errors.Is(err, egress.ErrNamePorts) && e.Proto == egress.Any {
		name, private := strings.CutSuffix(text, egress.PrivateWord)
		if text = name + ":443/tcp"; private {
			text += egress.PrivateWord
		}
		e, err = egress.Parse(text)
	}
	if err == nil && e.Group != "" {
		err = errGroup
	}
	return text, err
}
