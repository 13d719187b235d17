# fcgi.pl PORT: a FastCGI server; says each context that it finds among its variables.
use strict;
use warnings;
use FCGI;

my $socket = FCGI::OpenSocket("127.0.0.1:$ARGV[0]", 5);
my $request = FCGI::Request(\*STDIN, \*STDOUT, \*STDERR, \%ENV, $socket);
while ($request->Accept() >= 0) {
    my $body = '';
    read(STDIN, $body, $ENV{CONTENT_LENGTH}) if $ENV{CONTENT_LENGTH};
    print "Content-Type: text/plain\r\n\r\n";
    print "$_=$ENV{$_}\n" for grep { /traceparent/i } sort keys %ENV;
    print "body=", length $body, "\n";
}
