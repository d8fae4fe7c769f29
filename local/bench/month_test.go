package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gopkg.in/yaml.v3"

	"parley/functions/sweep"
	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/meter"
)

// What AWS charges for a month of what stands still, in dollars, published as the
// prices of dollars_test.go.
const (
	priceAlarmMetric = 0.10 // a metric that an alarm watches, whether alone or in an expression
	priceMetric      = 0.30 // a metric of our own that has values
	priceSecret      = 0.40
	priceScheduled   = 1.00e-6 // an invocation by EventBridge Scheduler
	hoursOfMonth     = 730
)

// free are the types of resources that cost nothing while nothing is asked of them
// and they hold nothing.
var free = map[string]bool{
	"AWS::Serverless::Function": true, "AWS::Serverless::WebSocketApi": true, "AWS::ApiGatewayV2::RouteResponse": true,
	"AWS::DynamoDB::Table": true, "AWS::S3::Bucket": true, "AWS::S3::BucketPolicy": true, "AWS::SQS::Queue": true,
	"AWS::Logs::LogGroup": true, "AWS::IAM::Role": true, "AWS::IAM::ManagedPolicy": true,
}

// resource is what the price of a resource of the template depends on.
type resource struct {
	Type       string     `yaml:"Type"`
	Condition  string     `yaml:"Condition"`
	Properties properties `yaml:"Properties"`
}

type properties struct {
	Metrics []struct {
		MetricStat any `yaml:"MetricStat"`
	} `yaml:"Metrics"`
	MetricTransformations []struct {
		DefaultValue any `yaml:"DefaultValue"`
	} `yaml:"MetricTransformations"`
	Events map[string]struct {
		Type       string `yaml:"Type"`
		Properties struct {
			ScheduleExpression string `yaml:"ScheduleExpression"`
		} `yaml:"Properties"`
	} `yaml:"Events"`
}

// standing is what a month of an idle stack is billed for.
type standing struct{ alarmMetrics, metrics, secrets, sweeps int }

// count reads the template. What has a condition is there only for those who ask for
// it, and docs/deploying.md says what it costs them.
func count(t testing.TB) (s standing) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "template.yaml"))
	fatal(t, err)
	var template struct {
		Resources map[string]resource `yaml:"Resources"`
	}
	fatal(t, yaml.Unmarshal(text, &template))
	for id, r := range template.Resources {
		switch {
		case r.Condition != "":
		case r.Type == "AWS::CloudWatch::Alarm":
			watched := 0
			for _, m := range r.Properties.Metrics {
				if m.MetricStat != nil {
					watched++
				}
			}
			s.alarmMetrics += max(watched, 1)
		case r.Type == "AWS::Logs::MetricFilter":
			for _, m := range r.Properties.MetricTransformations {
				if m.DefaultValue != nil {
					s.metrics++
				}
			}
		case r.Type == "AWS::SecretsManager::Secret":
			s.secrets++
		case !free[r.Type]:
			t.Errorf("%s: nobody has said what a month of %s costs", id, r.Type)
		}
		for name, e := range r.Properties.Events {
			switch {
			case e.Type != "ScheduleV2":
			case e.Properties.ScheduleExpression != "rate(1 minute)":
				t.Errorf("%s: %s is %q, want rate(1 minute)", id, name, e.Properties.ScheduleExpression)
			default:
				s.sweeps += hoursOfMonth * 60
			}
		}
	}
	return s
}

// position is one of a month's bill.
type position struct {
	what    string
	dollars float64
}

// measureMonth reckons up what a stack costs that nobody uses, before any free tier:
// what the template has of things with a price of their own, and what the sweep does.
// docs/cost.md has the same lines.
func measureMonth(t *tier) {
	synctest.Test(t.T, func(inner *testing.T) {
		s := count(inner)
		units, lines := idleSweep(inner)
		s.metrics += lines
		table := float64(s.sweeps) * (float64(units.WriteUnits())*priceWriteUnit + units.ReadUnits()*priceReadUnit)
		calls := bill{time: time.Duration(s.sweeps) * shortCall, invocations: s.sweeps, silent: s.sweeps}
		rows := []position{
			{fmt.Sprintf("metrics that alarms watch: %d, at $%.2f", s.alarmMetrics, priceAlarmMetric), float64(s.alarmMetrics) * priceAlarmMetric},
			{fmt.Sprintf("metrics of our own that have values: %d, at $%.2f", s.metrics, priceMetric), float64(s.metrics) * priceMetric},
			{fmt.Sprintf("secrets: %d, at $%.2f", s.secrets, priceSecret), float64(s.secrets) * priceSecret},
			{fmt.Sprintf("the sweep's schedule: %d invocations, at $%.2f a million", s.sweeps, 1e6*priceScheduled), float64(s.sweeps) * priceScheduled},
			{"the sweep on Lambda", calls.total()},
			{fmt.Sprintf("the sweep's %d write and %g read units each", units.WriteUnits(), units.ReadUnits()), table},
		}
		total := 0.0
		for _, r := range rows {
			total += r.dollars
		}
		t.atMost("dollars for a month in which nobody chats", "%.2f", total, 1)
		for _, r := range rows {
			t.note("… "+r.what, fmt.Sprintf("%.3f", r.dollars))
		}
		document, err := os.ReadFile(filepath.Join("..", "..", "docs", "cost.md"))
		fatal(inner, err)
		for _, r := range append(rows, position{"together", total}) {
			if line := fmt.Sprintf("| %s | %.3f |", r.what, r.dollars); !strings.Contains(string(document), line) {
				inner.Errorf("docs/cost.md lacks the line %s", line)
			}
		}
	})
}

// idleSweep is what a sweep does to the table when nothing is due, and how many lines
// of metrics it writes.
func idleSweep(t *testing.T) (units meter.Counts, lines int) {
	table := meter.New(meter.Config{Table: parleytest.Table(t), Label: label})
	var metrics bytes.Buffer
	config := sweep.Config{Store: parleytest.Store(t, parley.Config{Table: table}),
		Revive: func(context.Context, parley.RunRef) error { return nil }}
	config.Metrics.Writer = &metrics
	handler := sweep.New(config)
	for range 3 { // the first finds out where to begin
		time.Sleep(time.Minute)
		table.Reset()
		metrics.Reset()
		fatal(t, handler(t.Context()))
	}
	return table.Counts(), bytes.Count(metrics.Bytes(), []byte("Name"))
}
