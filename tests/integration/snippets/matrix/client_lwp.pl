# LWP with its default of a connection for each request.
use strict;
use LWP::UserAgent;
my $agent = LWP::UserAgent->new(ssl_opts => { SSL_ca_file => $ENV{SSL_CERT_FILE} });
for my $url (@ARGV) {
	my $answer = $agent->get($url);
	die $url . ": " . $answer->status_line unless $answer->is_success;
}
