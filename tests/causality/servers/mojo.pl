# mojo - Mojolicious' daemon and its user agent, which does not block.
# rig: needs=mojo
# rig: calls=3
use Mojolicious::Lite -signatures;
use Mojo::IOLoop;
use Mojo::Server::Daemon;
my ($port, $back) = @ARGV;
app->log->level('fatal');
get '/r/:id/:calls' => sub ($c) {
	$c->render_later;
	my ($id, $calls) = ($c->param('id'), $c->param('calls'));
	my $next;
	my $i = 0;
	$next = sub {
		return $c->render(text => "done $id\n") if $i++ >= $calls;
		$c->ua->get_p("http://127.0.0.1:$back/d/$id/$i", {'X-Request-Id' => $id})->then(sub { $next->() })->catch(sub { $c->reply->not_found });
	};
	$next->();
};
my $daemon = Mojo::Server::Daemon->new(app => app, listen => ["http://127.0.0.1:$port?backlog=4096"], max_clients => 4096, silent => 1);
app->ua->max_connections(100);
$daemon->run;
