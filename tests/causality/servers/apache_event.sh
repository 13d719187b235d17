# apache_event - httpd as a proxy; the other MPMs and PHP come here too.
# rig: needs=/usr/sbin/apache2
port=$1 back=$2 dir=$3 mpm=${4:-event} what=${5:-proxy} page=${6:-page}
modules=/usr/lib/apache2/modules
{
	cat <<-END
	ServerRoot $dir
	ServerName localhost
	Listen 127.0.0.1:$port
	PidFile $dir/pid
	ErrorLog $dir/error.log
	DefaultRuntimeDir $dir
	User www-data
	Group www-data
	LoadModule mpm_${mpm}_module $modules/mod_mpm_$mpm.so
	LoadModule authz_core_module $modules/mod_authz_core.so
	ListenBacklog 4096
	KeepAliveTimeout 1
	MaxKeepAliveRequests 0
	Timeout 30
	END
	case $mpm in
	prefork) echo "StartServers 40
		ServerLimit 256
		MaxRequestWorkers 256
		KeepAlive Off" ;;
	*) echo "StartServers 4
		ThreadsPerChild 64
		ServerLimit 32
		MaxRequestWorkers 2048" ;;
	esac
	if [ "$what" = php ]; then
		mkdir -p "$dir/r"
		cp "$(dirname "$0")/../pages/$page.php" "$dir/page.php"
		cat <<-END
		LoadModule php_module $modules/libphp8.2.so
		LoadModule alias_module $modules/mod_alias.so
		LoadModule mime_module $modules/mod_mime.so
		TypesConfig /etc/mime.types
		AddHandler application/x-httpd-php .php
		SetEnv BACK $back
		LoadModule env_module $modules/mod_env.so
		AliasMatch "^/r/" $dir/page.php
		<Directory $dir>
		Require all granted
		</Directory>
		END
	else
		cat <<-END
		LoadModule proxy_module $modules/mod_proxy.so
		LoadModule proxy_http_module $modules/mod_proxy_http.so
		END
		if [ "$what" = https ]; then
			cat <<-END
			LoadModule ssl_module $modules/mod_ssl.so
			SSLProxyEngine on
			SSLProxyCheckPeerName off
			SSLProxyCheckPeerExpire off
			ProxyPass / https://127.0.0.1:$back/
			END
		else
			echo "ProxyPass / http://127.0.0.1:$back/"
		fi
	fi
} >"$dir/httpd.conf"
chmod -R a+rX "$dir"
exec $TRACED /usr/sbin/apache2 -D FOREGROUND -f "$dir/httpd.conf"
