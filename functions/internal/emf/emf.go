// Package emf writes metrics as log lines that CloudWatch turns into metrics:
// the embedded metric format
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
package emf

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// Unit is a unit of CloudWatch.
type Unit string

// The units in use.
const (
	Count        Unit = "Count"
	Milliseconds Unit = "Milliseconds"
)

// Metric is one value.
type Metric struct {
	Name  string
	Unit  Unit
	Value float64
}

// Log is where metrics are written. Its zero value discards them.
type Log struct {
	// Namespace holds the metrics of one deployment, so that those of two in one
	// account are never added up. Up to 255 characters, of CloudWatch's.
	Namespace string
	// Writer is the function's standard output; nil discards.
	Writer io.Writer
}

// Put writes one line with up to 100 metrics (the format's limit), which all
// have these dimensions, at most 30.
func (l Log) Put(at time.Time, dimensions map[string]string, metrics ...Metric) error {
	if l.Writer == nil {
		return nil
	}
	type definition struct {
		Name string
		Unit Unit
	}
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []definition
	}
	names := slices.Sorted(maps.Keys(dimensions))
	d := directive{Namespace: l.Namespace, Dimensions: [][]string{append([]string{}, names...)}}
	line := map[string]any{}
	for name, value := range dimensions {
		line[name] = value
	}
	for _, m := range metrics {
		d.Metrics = append(d.Metrics, definition{m.Name, m.Unit})
		line[m.Name] = m.Value
	}
	line["_aws"] = map[string]any{"Timestamp": at.UnixMilli(), "CloudWatchMetrics": []directive{d}}
	b, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("encode metrics: %w", err)
	}
	if _, err := l.Writer.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return nil
}
