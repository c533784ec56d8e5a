// Command get-pcaps gets packet captures from a pcap-gateway, and prints what came of each; or makes one,
// waits until it is ready, and downloads its packets.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
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
	"google.golang.org/protobuf/types/known/durationpb"

	pcapv1 "pcap-gateway.example/stubs/pcap/v1"
)

const (
	usage = "usage: run [--tls-ca FILE] TARGET ACCOUNT_ID PCAP_ID..., or run [--tls-ca FILE] --capture FILE TARGET ACCOUNT_ID"

	deadline = 10 * time.Second

	// Whoever is told to come again sooner than that may as well wait.
	longestWait = 5 * time.Second

	// From a capture's beginning to its last packet.
	captureTime = 2 * time.Minute
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

// form is what both forms have.
type form interface {
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

// isReady tells whether its packets are there. The form that a capture does not have has no status.
func isReady(pcap *pcapv1.Pcap) bool {
	return pcap.GetSimple().GetStatus() == pcapv1.PcapStatus_PCAP_STATUS_SUCCESS ||
		pcap.GetFull().GetStatus() == pcapv1.PcapStatus_PCAP_STATUS_COMPLETE
}

// statusName: an enum of proto3 is open, so tomorrow's server may send a number that has no name here.
func statusName(f form) string {
	number := f.GetStatus()
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

// explain says in a line why a call failed.
func explain(err error) string {
	var f *failure
	switch {
	case !errors.As(err, &f):
		return err.Error()
	case f.Code() == codes.ResourceExhausted && f.retryAfter != nil:
		tenths := math.Ceil(f.retryAfter.Seconds() * 10)
		return "not now, come again in " + strconv.FormatFloat(tenths/10, 'f', -1, 64) + " s"
	case f.reason != "":
		return fmt.Sprintf("%s (%s): %s", codeName(f.Code()), f.reason, f.Message())
	default:
		return codeName(f.Code()) + ": " + f.Message()
	}
}

// create asks for ten seconds of sampled TCP packets. It is not to be tried again under another request_id:
// with the same one there is no second capture, however often it is asked for.
func create(ctx context.Context, client pcapv1.PcapServiceClient, accountID string) (*pcapv1.Pcap, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	tcp := uint32(6)
	response, err := client.CreatePcap(ctx, &pcapv1.CreatePcapRequest{
		AccountId: accountID,
		RequestId: rand.Text(),
		Form: &pcapv1.CreatePcapRequest_Simple{Simple: &pcapv1.CreateSimplePcap{
			TimeLimit:   durationpb.New(10 * time.Second),
			PacketLimit: 1000,
			FilterV1:    &pcapv1.PcapFilter{Protocol: &tcp},
		}},
	})
	if err != nil {
		return nil, failureOf(err)
	}
	return response.GetPcap(), nil
}

// watch tells each change, up to the last; it goes on where a replica of the gateway ends.
func watch(ctx context.Context, client pcapv1.PcapServiceClient, accountID, pcapID string, tell func(*pcapv1.Pcap)) error {
	request := &pcapv1.WatchPcapsRequest{AccountId: accountID, PcapIds: []string{pcapID}}
	for {
		stream, err := client.WatchPcaps(ctx, request)
		for err == nil {
			var message *pcapv1.WatchPcapsResponse
			if message, err = stream.Recv(); err == nil {
				tell(message.GetPcap())
			}
		}
		if err == io.EOF {
			return nil
		}
		if status.Code(err) != codes.Unavailable {
			return failureOf(err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return failureOf(err)
		}
	}
}

// download puts the packets into a file, which is there once it is whole, and returns its size.
func download(ctx context.Context, client pcapv1.PcapServiceClient, accountID, pcapID, file string) (size int64, err error) {
	part, err := os.Create(file + ".part")
	if err != nil {
		return 0, err
	}
	defer os.Remove(part.Name()) // there is none any more where all went well
	defer part.Close()
	stream, err := client.DownloadPcap(ctx, &pcapv1.DownloadPcapRequest{AccountId: accountID, PcapId: pcapID})
	for err == nil {
		var message *pcapv1.DownloadPcapResponse
		if message, err = stream.Recv(); err != nil {
			break
		}
		written, err := part.Write(message.GetData())
		if err != nil {
			return 0, err
		}
		size += int64(written)
	}
	if err != io.EOF {
		return 0, failureOf(err)
	}
	if err := part.Close(); err != nil {
		return 0, err
	}
	return size, os.Rename(part.Name(), file)
}

// capturePackets makes a capture, prints what comes of it, and returns whether its packets are in the file.
func capturePackets(ctx context.Context, client pcapv1.PcapServiceClient, accountID, file string) bool {
	ctx, cancel := context.WithTimeout(ctx, captureTime)
	defer cancel()
	subject := "capture"
	pcap, err := create(ctx, client, accountID)
	if err == nil {
		subject = pcap.GetSimple().GetId()
		told := ""
		err = watch(ctx, client, accountID, subject, func(changed *pcapv1.Pcap) {
			pcap = changed
			if line := describe(pcap); line != told { // the first one after a break may be known
				fmt.Printf("%s: %s\n", subject, line)
				told = line
			}
		})
	}
	var size int64
	if err == nil {
		if !isReady(pcap) {
			return false
		}
		size, err = download(ctx, client, accountID, subject, file)
	}
	if err != nil {
		fmt.Printf("%s: %s\n", subject, explain(err))
		return false
	}
	fmt.Printf("%s: %d bytes in %s\n", subject, size, file)
	return true
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
	case errors.As(err, &f) && f.Code() == codes.NotFound && f.reason == "PCAP_NOT_FOUND":
		fmt.Printf("%s: there is no such capture\n", pcapID)
		return true
	default:
		fmt.Printf("%s: %s\n", pcapID, explain(err))
	}
	return false
}

func run() (answered bool, err error) {
	tlsCA := flag.String("tls-ca", "", "whom to trust (default: plaintext)")
	capture := flag.String("capture", "", "make a capture, and put its packets into this file")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, usage)
	}
	flag.Parse()
	if (*capture == "" && flag.NArg() < 3) || (*capture != "" && flag.NArg() != 2) {
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
	if *capture != "" {
		return capturePackets(context.Background(), client, flag.Arg(1), *capture), nil
	}
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
