package emf_test

import (
	"bytes"
	"testing"
	"time"

	"parley/functions/internal/emf"
)

func TestWrite(t *testing.T) {
	at := time.UnixMilli(1_800_000_000_123)
	tests := []struct {
		name       string
		dimensions map[string]string
		metrics    []emf.Metric
		want       string
	}{
		{"two metrics, no dimension", nil, []emf.Metric{{"Looked", emf.Count, 3}, {"Took", emf.Milliseconds, 1.5}},
			`{"Looked":3,"Took":1.5,"_aws":{"CloudWatchMetrics":[{"Namespace":"Parley/shop","Dimensions":[[]],"Metrics":[{"Name":"Looked","Unit":"Count"},{"Name":"Took","Unit":"Milliseconds"}]}],"Timestamp":1800000000123}}` + "\n"},
		{"dimensions in order", map[string]string{"Kind": "entry", "App": "x"}, []emf.Metric{{"Changes", emf.Count, 1}},
			`{"App":"x","Changes":1,"Kind":"entry","_aws":{"CloudWatchMetrics":[{"Namespace":"Parley/shop","Dimensions":[["App","Kind"]],"Metrics":[{"Name":"Changes","Unit":"Count"}]}],"Timestamp":1800000000123}}` + "\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := (emf.Log{Namespace: "Parley/shop", Writer: &b}).Put(at, test.dimensions, test.metrics...); err != nil || b.String() != test.want {
				t.Errorf("line = %s, %v; want %s", b.String(), err, test.want)
			}
		})
	}
}
