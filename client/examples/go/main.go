// Command get-pcaps gets packet captures from a pcap-gateway, and prints what came of each.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pcapv1 "pcap-gateway.example/stubs/pcap/v1"
)

const (
	usage = "usage: run [--tls-ca FILE] TARGET ACCOUNT_ID PCAP_ID..."

	deadline = 10 * time.Second

	// Whoever is told to come again sooner than that may as well wait.
	longestWait = 5 * time.Second
)

// failure is what google.rpc.Status says of a failed call.
type failure struct {
	*status.Status
	reason     string         // of ErrorInfo; empty: the server says none
	retryAfter *time.Duration // of RetryInfo
}

func (f *failure) Error() string { return f.Message() }

func failureOf(err error) *failure {
	f := &failure{Status: status.Convert(err)}
	for _, detail := range f.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			f.reason = detail.GetReason()
		case *errdetails.RetryInfo:
			delay := detail.GetRetryDelay().AsDuration()
			f.retryAfter = &delay
		}
	}
	return f
}

// get asks for a capture; cacheStatus says how the gateway came by it (RFC 9211).
func get(ctx context.Context, client pcapv1.PcapServiceClient, request *pcapv1.GetPcapRequest) (pcap *pcapv1.Pcap, cacheStatus string, err error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	var header metadata.MD
	response, err := client.GetPcap(ctx, request, grpc.Header(&header))
	if err != nil {
		return nil, "", failureOf(err)
	}
	return response.GetPcap(), strings.Join(header.Get("cache-status"), ", "), nil
}

// getPatiently does the same, once more if the gateway says that a short wait will do.
func getPatiently(ctx context.Context, client pcapv1.PcapServiceClient, request *pcapv1.GetPcapRequest) (*pcapv1.Pcap, string, error) {
	pcap, cacheStatus, err := get(ctx, client, request)
	var f *failure
	if !errors.As(err, &f) || f.Code() != codes.ResourceExhausted || f.retryAfter == nil || *f.retryAfter > longestWait {
		return pcap, cacheStatus, err
	}
	select {
	case <-time.After(*f.retryAfter):
	case <-ctx.Done():
		return nil, "", err
	}
	return get(ctx, client, request)
}

// capture is what both forms have.
type capture interface {
	GetStatus() pcapv1.PcapStatus
}

func describe(pcap *pcapv1.Pcap) string {
	switch form := pcap.GetForm().(type) {
	case *pcapv1.Pcap_Simple:
		parts := []string{"simple", statusName(form.Simple)}
		if submitted := form.Simple.GetSubmitted(); submitted != nil {
			parts = append(parts, "submitted "+submitted.AsTime().Format("2006-01-02T15:04:05Z"))
		}
		return strings.Join(parts, ", ")
	case *pcapv1.Pcap_Full:
		parts := []string{"full", statusName(form.Full)}
		if submitted := form.Full.GetSubmitted(); submitted != nil {
			parts = append(parts, "submitted "+submitted.AsTime().Format("2006-01-02T15:04:05Z"))
		}
		// The field, not its getter: 0 packets are not the same as no number.
		if packets := form.Full.PacketsCaptured; packets != nil {
			parts = append(parts, fmt.Sprintf("%d packets captured", *packets))
		}
		return strings.Join(parts, ", ")
	default:
		return "a form that this program does not know"
	}
}

// statusName: an enum of proto3 is open, so tomorrow's server may send a number that has no name here.
func statusName(c capture) string {
	number := c.GetStatus()
	if name, known := pcapv1.PcapStatus_name[int32(number)]; known {
		return name
	}
	return fmt.Sprintf("PCAP_STATUS %d", number)
}

// codeName is the code as the specification of gRPC spells it: Go says "ResourceExhausted".
func codeName(code codes.Code) string {
	var name strings.Builder
	for i, c := range code.String() {
		if i > 0 && 'A' <= c && c <= 'Z' && code != codes.OK {
			name.WriteByte('_')
		}
		name.WriteRune(c)
	}
	if code == codes.Canceled {
		return "CANCELLED"
	}
	return strings.ToUpper(name.String())
}

// report prints what came of it, and returns whether that is an answer.
func report(ctx context.Context, client pcapv1.PcapServiceClient, accountID, pcapID string) bool {
	pcap, cacheStatus, err := getPatiently(ctx, client, &pcapv1.GetPcapRequest{AccountId: accountID, PcapId: pcapID})
	var f *failure
	switch {
	case err == nil:
		fmt.Printf("%s: %s\n", pcapID, describe(pcap))
		if cacheStatus != "" {
			fmt.Printf("    cache-status: %s\n", cacheStatus)
		}
		return true
	case !errors.As(err, &f):
		fmt.Printf("%s: %v\n", pcapID, err)
	case f.Code() == codes.NotFound && f.reason == "PCAP_NOT_FOUND":
		fmt.Printf("%s: there is no such capture\n", pcapID)
		return true
	case f.Code() == codes.ResourceExhausted && f.retryAfter != nil:
		tenths := math.Ceil(f.retryAfter.Seconds() * 10)
		fmt.Printf("%s: not now, come again in %s s\n", pcapID, strconv.FormatFloat(tenths/10, 'f', -1, 64))
	case f.reason != "":
		fmt.Printf("%s: %s (%s): %s\n", pcapID, codeName(f.Code()), f.reason, f.Message())
	default:
		fmt.Printf("%s: %s: %s\n", pcapID, codeName(f.Code()), f.Message())
	}
	return false
}

func run() (answered bool, err error) {
	tlsCA := flag.String("tls-ca", "", "whom to trust (default: plaintext)")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, usage)
	}
	flag.Parse()
	if flag.NArg() < 3 {
		return false, errors.New(usage)
	}
	transport := insecure.NewCredentials()
	if *tlsCA != "" {
		if transport, err = credentials.NewClientTLSFromFile(*tlsCA, ""); err != nil {
			return false, fmt.Errorf("--tls-ca: %w", err)
		}
	}
	// Does not connect yet. One connection is enough for a program; it is reopened when lost.
	connection, err := grpc.NewClient(flag.Arg(0), grpc.WithTransportCredentials(transport))
	if err != nil {
		return false, fmt.Errorf("TARGET: %w", err)
	}
	defer connection.Close()
	client := pcapv1.NewPcapServiceClient(connection)
	answered = true
	for _, pcapID := range flag.Args()[2:] {
		answered = report(context.Background(), client, flag.Arg(1), pcapID) && answered
	}
	return answered, nil
}

func main() {
	answered, err := run()
	if err != nil {
		fmt.Fprintf(os.Stderr, "run: %v\n", err)
		os.Exit(2)
	}
	if !answered {
		os.Exit(1)
	}
}
