package deploytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"parley/shared/api"
	"parley/shared/parley"
)

// TestAlarms: four metrics are watched, and each alarm notifies. What no metric of a
// function shows is in LoggedErrors, which TestLoggedErrors feeds.
func TestAlarms(t *testing.T) {
	watched := map[string]string{}
	for id, a := range load(t).ofType("AWS::CloudWatch::Alarm") {
		p := a.in("Properties")
		of := ""
		for _, d := range p.list("Dimensions") {
			of = fmt.Sprint(d.(node)["Value"])
		}
		watched[fmt.Sprint(p["Namespace"], " ", p["MetricName"], " ", of)] = fmt.Sprint(p["TreatMissingData"])
		if !strings.Contains(fmt.Sprint(p["AlarmActions"]), "AlarmTopicArn") || p["AlarmDescription"] == nil {
			t.Errorf("%s: %v", id, p)
		}
	}
	want := map[string]string{
		"map[Fn::Sub:Parley/${AWS::StackName}] LoggedErrors ":                           "notBreaching",
		"AWS/Lambda Throttles ":                                                         "notBreaching",
		"AWS/Lambda Invocations map[Ref:SweepFunction]":                                 "breaching", // silence is what it is for
		"AWS/SQS ApproximateNumberOfMessagesVisible map[Fn::GetAtt:Failures.QueueName]": "notBreaching",
	}
	if !maps.Equal(watched, want) {
		t.Errorf("watched are %v, want %v", watched, want)
	}
}

// TestLoggedErrors gives the filter lines of functions and of Lambda, and none of what
// happens every day may ring.
func TestLoggedErrors(t *testing.T) {
	template := load(t)
	p := template.in("Resources", "LoggedErrors", "Properties")
	for _, m := range p.list("MetricTransformations") {
		if m.(node)["DefaultValue"] != nil {
			t.Error("the metric has a value, and a price, also when nothing is wrong")
		}
	}
	// Every function's lines are in the group that the filter reads.
	for name, f := range template.functions() {
		if group := merged(template.in("Globals", "Function"), f.in("Properties")).at("LoggingConfig", "LogGroup"); fmt.Sprint(group) != fmt.Sprint(p["LogGroupName"]) {
			t.Errorf("%s logs into %v, the filter reads %v", name, group, p["LogGroupName"])
		}
	}
	var own bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&own, nil))
	line := func(write func()) string {
		own.Reset()
		write()
		return own.String()
	}
	// What Lambda writes, as in its Telemetry API schema reference.
	platform := func(kind, status string) string {
		return fmt.Sprintf(`{"time":"2026-11-30T12:00:00Z","type":"platform.%s","record":{"requestId":"1","status":"%s"}}`, kind, status)
	}
	tests := []struct {
		name, line string
		want       bool
	}{
		{"an error that a function logs", line(func() { log.Error("panic", "error", "x") }), true},
		{"a bound that is nearly used up", line(func() { api.LogNear(log)(parley.Near{Project: "shop", Bound: "project", What: "bytes"}) }), true},
		{"a crash", platform("report", "error"), true},
		{"a time-out", platform("report", "timeout"), true},
		{"a start that fails", platform("report", "failure"), true},
		{"the same invocation's other line", platform("runtimeDone", "timeout"), false},
		{"an invocation", platform("report", "success"), false},
		{"a request", line(func() { log.Info("request", "status", 500) }), false},
		{"a warning", line(func() { log.Warn("no webhook", "status", "error") }), false},
		{"metrics", `{"SweepLooked":1,"_aws":{"Timestamp":1}}`, false},
	}
	for _, test := range tests {
		var fields map[string]any
		if err := json.Unmarshal([]byte(test.line), &fields); err != nil {
			t.Fatalf("%s: %v", test.line, err)
		}
		pattern := filter{words: word.FindAllString(strings.Trim(p["FilterPattern"].(string), "{} \n"), -1)}
		if got := pattern.or(fields); got != test.want || len(pattern.words) > 0 {
			t.Errorf("%s rings: %v, and of the filter are left %q; want %v", test.name, got, pattern.words, test.want)
		}
	}
}

// filter reads a pattern of CloudWatch Logs for lines of JSON, as far as ours goes.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
type filter struct{ words []string }

var word = regexp.MustCompile(`\$[.\w]+|"[^"]*"|\|\||&&|!=|[=()]`)

func (f *filter) next() (w string) {
	w, f.words = f.words[0], f.words[1:]
	return w
}

func (f *filter) follows(w string) bool {
	if len(f.words) == 0 || f.words[0] != w {
		return false
	}
	f.next()
	return true
}

func (f *filter) or(line map[string]any) bool {
	holds := f.and(line)
	for f.follows("||") {
		holds = f.and(line) || holds
	}
	return holds
}

func (f *filter) and(line map[string]any) bool {
	holds := f.compare(line)
	for f.follows("&&") {
		holds = f.compare(line) && holds
	}
	return holds
}

// compare takes a field that is not there for one that fits nothing.
func (f *filter) compare(line map[string]any) bool {
	if f.follows("(") {
		holds := f.or(line)
		return f.follows(")") && holds
	}
	path, operator, value := f.next(), f.next(), strings.Trim(f.next(), `"`)
	var field any = line
	for key := range strings.SplitSeq(strings.TrimPrefix(path, "$."), ".") {
		within, _ := field.(map[string]any)
		field = within[key]
	}
	text, there := field.(string)
	return there && slices.Contains([]string{"=", "!="}, operator) && (text == value || value == "*") == (operator == "=")
}
