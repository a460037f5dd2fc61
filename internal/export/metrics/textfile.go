package metrics

import (
	"fmt"
	"io"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// WriteFile replaces a file for node_exporter's textfile collector, as a whole.
func WriteFile(path string, registry *prometheus.Registry) error {
	if err := prometheus.WriteToTextfile(path, registry); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// Print writes the text format.
func Print(w io.Writer, registry *prometheus.Registry) error {
	families, err := registry.Gather()
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(w, family); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	return nil
}
