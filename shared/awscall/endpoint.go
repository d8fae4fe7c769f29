package awscall

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// endpoints is a config source that can replace endpoints; the SDK's clients
// look for the same method.
type endpoints interface {
	GetServiceBaseEndpoint(ctx context.Context, service string) (address string, ok bool, err error)
}

// endpointOf returns a function that returns the replacement for a service's
// endpoint, or "".
func endpointOf(c aws.Config) func(service string) string {
	return func(service string) string {
		for _, source := range c.ConfigSources {
			if e, ok := source.(endpoints); ok {
				if address, ok, err := e.GetServiceBaseEndpoint(context.Background(), service); ok && err == nil {
					return address
				}
			}
		}
		return ""
	}
}

// suffixes are the domains of AWS's partitions other than amazonaws.com, by the
// prefix of their regions' names.
var suffixes = []struct{ region, domain string }{
	{"cn-", "amazonaws.com.cn"},
	{"eusc-", "amazonaws.eu"},
	{"us-iso-", "c2s.ic.gov"},
	{"us-isob-", "sc2s.sgov.gov"},
	{"eu-isoe-", "cloud.adc-e.uk"},
	{"us-isof-", "csp.hci.ic.gov"},
}

// suffix is the domain of a region's services.
func suffix(region string) string {
	for _, s := range suffixes {
		if strings.HasPrefix(region, s.region) {
			return s.domain
		}
	}
	return "amazonaws.com"
}
